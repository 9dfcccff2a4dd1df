what = What is asked of the frame allocator is recorded, and the host gives the same answers, frame for frame.
cmdline = test=K1
type = trace start 40000
type = alloc 6M align=2M below=4G
type = alloc 5
type = test P7
type = test V26
type = free all
type = trace stop
type = trace save
check = trace
expect = V26 PASS name=a_storm_of_requests_leaves_memory_as_it_was
expect = ^ stopped: [0-9]+ of 40000 records, 0 lost
expect = ^\[R\] cairn-trace 1 engine=tier
