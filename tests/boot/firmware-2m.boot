what = OVMF's 2 MiB build.
firmware = 2M
check = memory screen
