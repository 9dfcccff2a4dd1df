what = A boot.cfg of 4096 random bytes: warnings, no failure.
cmdline =
file = boot.cfg garbage 4096
expect = boot\.cfg
