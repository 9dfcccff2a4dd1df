what = A deliberate fault: divide.
cmdline = crash=divide panic=exit
end = text
expect = \*\*\* PANIC:
status = 3
