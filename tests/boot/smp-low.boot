what = 3 CPUs, and little memory.
smp = 3
memory = 64M
expect = ^\[.*\] smp: 3 of 3 CPUs up in \d+ us
