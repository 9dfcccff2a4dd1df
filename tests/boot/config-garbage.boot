what = A boot.cfg of 4096 random bytes: warnings, no failure.
file = boot.cfg garbage 4096
