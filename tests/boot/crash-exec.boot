what = A deliberate fault: exec.
cmdline = crash=exec panic=exit
end = text
expect = \*\*\* PANIC:
status = 3
