what = Load options of an odd size; a framebuffer that is too small; random numbers are all ones.
shim = options=odd, gop-size=1M, rng-fill=255
end = text
cmdline =
status = 1
expect = ^\[T\] SUMMARY .*fail=0 .*ledger=ok
expect = ^\[T\] K1 PASS name=what_the_firmware_lent screen=1280x204 .*rejected=[0-9]*[13579]\b
