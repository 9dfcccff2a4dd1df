what = All RAM below 1 MiB is the boot services', no address that is asked for is free, random numbers repeat.
shim = low-boot, alloc-at-fails, rng-repeat
end = pass
expect = ^\[T\] K1 PASS name=what_the_firmware_lent .*rejected=[0-9]*[13579]\b .*trampoline=yes
