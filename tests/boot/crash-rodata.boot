what = A deliberate fault: rodata.
cmdline = crash=rodata panic=exit
end = text
expect = \*\*\* PANIC: page fault
expect = what +write to a page that forbids it
expect = address +kernel image \+ 0x\w+, constants
expect = at +\w+\+0x
expect = #\d+ +kmain\+0x
expect = last records
expect = mm_check  all invariants hold
forbid = ffff[89a-f][0-9a-f]{11}
status = 3
