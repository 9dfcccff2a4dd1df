what = A line of 10,000 characters is a warning with file and line.
cmdline =
file = boot.cfg long 10000
expect = boot\.cfg:1
