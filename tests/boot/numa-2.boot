what = Two NUMA nodes.
memory = 1G
smp = 4
nodes = 2
check = memory
