what = 2 MiB leaves for the direct map of 5 GiB.
cpu = qemu64
memory = 5G
check = memory
