what = A deliberate fault: ud.
cmdline = crash=ud panic=exit
end = text
expect = \*\*\* PANIC:
status = 3
