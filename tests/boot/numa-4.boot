# Seen from node 0 the nearest is 2, and 1 is farthest; node 2 is far from everybody, but for 1; from node 3 all are alike.
what = Four NUMA nodes whose distances are not the order of their numbers: memory is used up in exactly the order of distance.
memory = 1G
smp = 4
nodes = 4
distances = 10 50 17 20 / 21 10 33 15 / 99 98 10 120 / 12 12 12 10
check = memory columns
type = mem
type = ledger
type = check
expect = P8 PASS name=nodes_are_used_up_in_the_order_of_distance from_0=0-2-3-1 from_1=1-3-0-2 from_2=2-1-0-3 from_3=3-0-1-2
expect = P8 PASS name=each_cpu_is_served_by_the_node_that_is_nearest_to_it cpu_0=0 cpu_1=1 cpu_2=2 cpu_3=3
expect = P17 PASS name=other_cpus_fill_the_stock_of_their_node_when_idle node_1=1 node_2=1 node_3=1 fillers=3
expect = P8 PASS name=runs_cross_the_borders_of_nodes crossed=\d
expect = ^ node 3 +2\d\d\.?\d* MiB,.* 1 CPU +12 12 12 10$
expect = holds.*INV-20
expect = ^ +node 3 +6\d,\d+ +2\d\d.* MiB +balanced
