what = A deliberate fault: guard.
cmdline = crash=guard panic=exit
end = text
expect = PANIC: stack guard overwritten
status = 3
