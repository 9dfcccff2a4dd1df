what = A CPU without SMEP, SMAP, UMIP, RDRAND and 1 GiB pages.
cpu = qemu64
check = memory screen
