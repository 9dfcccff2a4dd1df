what = Descriptors beyond 2^64, and device memory at 56 TiB.
quirks = wrap mmio
check = memory
