what = A deliberate fault: gp.
cmdline = crash=gp panic=exit
end = text
expect = \*\*\* PANIC: general protection fault
expect = at +\w+\+0x
expect = #\d+ +kmain\+0x
expect = last records
expect = mm_check  all invariants hold
forbid = ffff[89a-f][0-9a-f]{11}
status = 3
