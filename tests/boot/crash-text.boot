what = A deliberate fault: text.
cmdline = crash=text panic=exit
end = text
expect = \*\*\* PANIC:
status = 3
