what = panic=exit ends the machine.
cmdline = panic=exit crash=ud
end = text
expect = \*\*\* PANIC:
status = 3
