what = A deliberate fault: doublefault.
cmdline = crash=doublefault panic=exit
end = text
expect = \*\*\* PANIC:
status = 3
