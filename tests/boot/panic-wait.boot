what = panic=wait waits.
cmdline = panic=wait crash=ud
end = text
expect = \*\*\* PANIC:
expect = panic=wait: the machine stops here
status = running
