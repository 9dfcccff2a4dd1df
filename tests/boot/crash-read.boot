what = A deliberate fault: read.
cmdline = crash=read panic=exit
end = text
expect = \*\*\* PANIC:
status = 3
