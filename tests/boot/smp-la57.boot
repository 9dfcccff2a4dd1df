what = 4 CPUs, five levels of page tables.
smp = 4
cpu = max,la57=on
config = paging 5
check = memory levels5
expect = ^\[.*\] smp: 4 of 4 CPUs up in \d+ us
