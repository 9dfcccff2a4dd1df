what = An SRAT in which two nodes have the same memory: it is not believed, and the machine has one node.
memory = 512M
srat = 0:0-18000000 1:10000000-20000000 0@0
expect = acpi: SRAT not used, all memory is one node: two entries disagree about the same memory
expect = P8 PASS name=nodes_are_used_up_in_the_order_of_distance from_0=0$
