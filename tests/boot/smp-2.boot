what = 2 CPUs.
smp = 2
check = memory
type = cpu
expect = ^\[.*\] smp: 2 of 2 CPUs up in \d+ us
expect = CPU 1 +up +node 0
expect = P13 PASS name=all_cpus_allocate_and_free_at_once cpus=2
