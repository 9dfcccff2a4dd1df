# 1 GiB shared out: 512 MiB each, of which the first node loses the 384 KiB from 640 KiB to 1 MiB.
what = Two NUMA nodes, each with its memory, CPUs and distances.
memory = 1G
smp = 4
nodes = 2
check = memory
type = mem
type = why 0x100000
type = why 0x20000000
expect = P10 PASS name=the_nodes_share_all_memory nodes=2 node_0=523904K ram=\d+K free=\d+K cpus=2 far=21 node_1=524288K ram=\d+K free=\d+K cpus=2 far=31
expect = ^ node 0 +5[01]\d\.?\d* MiB, +\d+\.?\d* MiB free, +\d+\.\d% as 2 MiB +2 CPUs +10 21$
expect = ^ node 1 +(5[01]\d\.?\d*|4[5-9]\d) MiB, +\d+\.?\d* MiB free, +\d+\.\d% as 2 MiB +2 CPUs +31 10$
expect = node +0, the firmware's domain 0
expect = node +1, the firmware's domain 1
expect = P8 PASS name=nodes_are_used_up_in_the_order_of_distance from_0=0-1 from_1=1-0
expect = P8 PASS name=each_cpu_is_served_by_the_node_that_is_nearest_to_it cpu_0=0 cpu_1=0 cpu_2=1 cpu_3=1
expect = K14 PASS name=cpus_are_numbered_without_holes cpus=4 listed=4
