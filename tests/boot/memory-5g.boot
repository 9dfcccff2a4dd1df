what = Memory above 4 GiB, beyond the hole.
memory = 5G
check = memory screen
