what = A deliberate fault: stack.
cmdline = crash=stack panic=exit
end = text
expect = \*\*\* PANIC:
status = 3
