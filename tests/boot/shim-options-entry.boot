what = The load options are a whole boot entry; large reads fail; pixels are described by masks.
shim = options=entry, read-max=64K, gop-bitmask
end = text
cmdline =
status = 1
expect = ^\[T\] SUMMARY .*fail=0 .*ledger=ok
expect = ^\[T\] K1 PASS name=what_the_firmware_lent .*format=3
