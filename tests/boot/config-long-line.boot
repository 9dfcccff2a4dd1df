what = A line of 10,000 characters is a warning with file and line.
file = boot.cfg long 10000
expect = boot\.cfg:1
