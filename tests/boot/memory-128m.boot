what = A small machine.
memory = 128M
check = memory screen
