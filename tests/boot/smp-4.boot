what = 4 CPUs.
smp = 4
check = memory
