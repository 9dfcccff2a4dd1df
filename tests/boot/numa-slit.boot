what = An SLIT in which a node is not 10 from itself: it is not believed, and nodes are equally far.
memory = 512M
smp = 2
srat = 0:0-8000000 1:8000000-10000000 2:10000000-20000000 0@0 1@1
slit = 10 30 20 / 20 11 20 / 40 20 10
expect = acpi: SLIT not used, all nodes are equally far: a distance makes no sense
expect = P8 PASS name=nodes_are_used_up_in_the_order_of_distance from_0=0-1-2 from_1=1-0-2 from_2=2-0-1
