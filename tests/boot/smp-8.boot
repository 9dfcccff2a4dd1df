what = 8 CPUs.
smp = 8
check = memory
