what = The partition on AHCI.
disk = ahci
check = memory
