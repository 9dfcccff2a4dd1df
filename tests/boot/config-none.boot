what = No boot.cfg: the defaults hold, the panel's own mode among them.
file = boot.cfg remove
shim = edid=1024x768
cmdline =
type = test K1
expect = ^\[T\] K1 PASS name=what_the_firmware_lent screen=1024x768
forbid = boot\.cfg
