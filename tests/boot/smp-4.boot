what = 4 CPUs.
smp = 4
check = memory
expect = ^\[.*\] smp: 4 of 4 CPUs up in \d+ us
expect = P13 PASS name=all_cpus_allocate_and_free_at_once cpus=4 .* drains=[1-9]\d*$
expect = P13 PASS name=all_cpus_together_get_the_last_frame cpus=4
