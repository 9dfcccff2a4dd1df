what = A deliberate fault: rodata.
cmdline = crash=rodata panic=exit
end = text
expect = \*\*\* PANIC:
status = 3
