what = A deliberate fault: write.
cmdline = crash=write panic=exit
end = text
expect = \*\*\* PANIC:
status = 3
