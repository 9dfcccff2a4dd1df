what = A deliberate fault: exec.
cmdline = crash=exec panic=exit
end = text
expect = \*\*\* PANIC: page fault
expect = what +execution of a page that is not executable
expect = address +kernel image \+ 0x\w+, data
expect = at +\w+\+0x
expect = #\d+ +kmain\+0x
expect = last records
expect = mm_check  all invariants hold
forbid = ffff[89a-f][0-9a-f]{11}
status = 3
