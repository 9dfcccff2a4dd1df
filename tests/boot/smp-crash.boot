what = A deliberate fault on another CPU: it tells, the others stop.
smp = 4
cmdline = crash=other panic=exit
end = text
expect = \*\*\* PANIC: page fault
expect = ^cpu +1 of 4; the others are stopped
expect = start_other
status = 3
