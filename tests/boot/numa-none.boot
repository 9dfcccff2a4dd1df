what = No SRAT: one node has everything.
memory = 512M
smp = 2
forbid = SRAT
expect = P8 PASS name=each_node_has_the_memory_that_the_tables_say node_0=\d+K free=\d+K$
expect = P8 PASS name=nodes_are_used_up_in_the_order_of_distance from_0=0$
expect = P8 PASS name=each_cpu_is_served_by_the_node_that_is_nearest_to_it cpu_0=0 cpu_1=0
