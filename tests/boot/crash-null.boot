what = A deliberate fault: null.
cmdline = crash=null panic=exit
end = text
expect = \*\*\* PANIC:
status = 3
