what = No memory below 1 MiB can be had.
quirks = nolow
check = memory
