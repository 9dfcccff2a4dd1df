what = No EFI_RNG_PROTOCOL: the CPU's sources have to do.
rng = none
check = memory
