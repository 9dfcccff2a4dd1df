# 0x20100000 is a multiple of 1 MiB and not of 2.
what = A border between two NUMA nodes in the middle of a 2 MiB block.
memory = 1G
smp = 2
srat = 0:0-20100000 1:20100000-40000000 0@0 1@1
slit = 10 21 / 31 10
check = memory
expect = P8 PASS name=each_node_has_the_memory_that_the_tables_say node_0=5\d+K .* node_1=5\d+K
expect = P8 PASS name=nodes_are_used_up_in_the_order_of_distance from_0=0-1 from_1=1-0
expect = P8 PASS name=each_cpu_is_served_by_the_node_that_is_nearest_to_it cpu_0=0 cpu_1=1
expect = P8 PASS name=runs_cross_the_borders_of_nodes crossed=\d
