# Node 1 is a hole, node 2 lies behind RAM; node 3 has the last MiB below 256 MiB and much that is not there.
what = An SRAT that names memory which is not there, and leaves out much that is.
memory = 512M
srat = 1:80000000-90000000 2:10000000000-20000000000 3:ff00000-10000000 3:40000000-60000000 0@0
expect = P8 PASS name=each_node_has_the_memory_that_the_tables_say .* node_1=0K free=0K node_2=0K free=0K node_3=1024K
expect = P8 PASS name=nodes_are_used_up_in_the_order_of_distance from_0=0-3 from_1=0-3 from_2=0-3 from_3=3-0
