what = A deliberate fault: null.
cmdline = crash=null panic=exit
end = text
expect = \*\*\* PANIC: page fault
expect = what +read from a page that is not mapped
expect = address +null page
expect = at +\w+\+0x
expect = #\d+ +kmain\+0x
expect = last records
expect = mm_check  all invariants hold
forbid = ffff[89a-f][0-9a-f]{11}
status = 3
