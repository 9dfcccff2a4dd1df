what = A NUMA node without memory: it is served by the nearest, and has an empty ledger.
memory = 1G
smp = 3
nodes = 2
bare = 1
distances = 10 21 30 / 21 10 12 / 30 12 10
type = mem
type = alloc 4 node=2
expect = P8 PASS name=each_node_has_the_memory_that_the_tables_say .* node_2=0K free=0K
expect = P8 PASS name=each_cpu_is_served_by_the_node_that_is_nearest_to_it cpu_0=0 cpu_1=1 cpu_2=2
expect = P8 PASS name=nodes_are_used_up_in_the_order_of_distance from_0=0-1 from_1=1-0 from_2=1-0
expect = ^a run of 16\.0 KiB, of node 2 alone failed: never possible: no memory is\sthere
expect = ^ node 2 +no memory +1 CPU +30 12 10$
