what = No boot.cfg: the defaults hold.
file = boot.cfg remove
cmdline =
