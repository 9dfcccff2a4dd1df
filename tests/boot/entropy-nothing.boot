what = Neither EFI_RNG nor RDRAND: jitter and the memory map.
rng = none
cpu = qemu64
check = memory
