what = At the prompt: what failed, why, and what is in the way.
memory = 256M
smp = 2
nodes = 2
cmdline = test=P14
type = mem
type = why fail
type = alloc 300M
type = alloc 250M
type = alloc 130M node=1
type = alloc 2M align=2M node=7
type = alloc 64K below=64K
type = alloc 16M align=2M node=1
type = alloc 85M align=2M node=1
type = why fail
type = free all
type = why fail
expect = of the free memory, \d+\.\d% could be 2 MiB frames as it is
expect = ^ No request for memory has failed
expect = ^a run of 300 MiB failed: never possible: all RAM is 255 MiB
expect = ^a run of 250 MiB failed: [\d,]+ free blocks of 64 KiB, [\d,]+\sof 2 MiB, largest run\s[\d.]+ MiB,\s[\d.]+ MiB\sfree in all
expect = ^a run of 130 MiB, of node 1 alone failed: never possible: all RAM of that node\sis 12[78] MiB
expect = ^There is no node 7: this machine has nodes 0 and 1
expect = ^a run of 64.0 KiB, below 0x10000 failed: 0 free blocks of 64 KiB, largest run\s0 B\swithin the limits, [\d.]+ MiB\selsewhere, and\sno\sRAM\sthat\smay\sbe\shanded\sout\sthere\sis\sthat\slong
expect = ^Without below= it would fit
expect = ^a run of 85.0 MiB at a multiple of 2.0 MiB, of node 1 alone failed:\s[^:]*,\s[\d,]+\sunmovable\sframes\sin\sthe\sbest\swindow\s\(0x[0-9a-f]+:\s[a-z\s]+\)
expect = ^ Requests that failed: 5;
expect = tests asked for a run of 300 MiB$
expect = tests asked for a run of 85.0 MiB at a multiple of 2.0 MiB, of\s+node\s+1\s+alone
expect = ^ CPUs: blocks taken [1-9][\d,]*, given back [\d,]+, calls home [\d,]+,\s+frames by mail [\d,]+, free frames kept [\d,]+
check = columns
