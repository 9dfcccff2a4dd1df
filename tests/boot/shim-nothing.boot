what = Old AMI firmware, no RAM below 1 MiB, no tables, no graphics, no random numbers.
shim = low-none, ami, no-tables, gop-none, rng-none
end = pass
expect = ^\[T\] K1 PASS name=what_the_firmware_lent screen=0x0 .*acpi=no attributes=no trampoline=no .*image=low
