what = 4 CPUs, of which one is asked for.
smp = 4
cmdline = cpus=1 test=all
check = memory
type = cpu
expect = ^\[.*\] smp: 1 of 4 CPUs up in \d+ us
expect = 3 more are not started
expect = K14 PASS name=cpus_are_numbered_without_holes cpus=1 listed=4
