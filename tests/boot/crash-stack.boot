what = A deliberate fault: stack.
cmdline = crash=stack panic=exit
end = text
expect = \*\*\* PANIC: stack overflow: boot stack, lower guard page
expect = #0 +sink_down
expect = and \d+ times more
expect = at +\w+\+0x
expect = #\d+ +kmain\+0x
expect = last records
expect = mm_check  all invariants hold
forbid = ffff[89a-f][0-9a-f]{11}
status = 3
