what = 8 CPUs.
smp = 8
check = memory
expect = ^\[.*\] smp: 8 of 8 CPUs up in \d+ us
