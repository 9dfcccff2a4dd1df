what = 2 CPUs, and room for two more.
smp = 2,maxcpus=4
check = memory
expect = ^\[.*\] smp: 2 of 2 CPUs up in \d+ us
expect = K14 PASS name=cpus_are_numbered_without_holes cpus=2 listed=2
