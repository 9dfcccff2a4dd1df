what = A deliberate fault: gp.
cmdline = crash=gp panic=exit
end = text
expect = \*\*\* PANIC:
status = 3
