what = panic=wait waits.
cmdline = panic=wait crash=ud
end = text
expect = PANIC
