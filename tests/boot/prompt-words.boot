what = What is typed wrongly is told so, in words that fit it; nothing is guessed.
smp = 2
cmdline = panic=exit
type = mem x
type = reboot now
type = poweroff later
type = panic nonsense
type = cpu 77
type = cpu -1
type = cpu 0x1
type = cpu 1 2
type = help mem mem
type = log info x
type = check 1 2 3 4 5 6 7 8 9
type = HELP
type = nonsense
type = alloc 18446744073709551615
type = alloc 18446744073709551616
type = alloc 99999999G
type = alloc 0
type = alloc -1
type = alloc 4 align=4K align=8K
type = alloc 4 align=3K
type = alloc 4 node=-1
type = alloc 4 node=4294967296
type = alloc 4 color=red
type = alloc 4 below=4K
type = quote
type = free all
type = alloc 1
type = free all
type = jumble 18446744073709551615
type = jumble 600M
type = jumble 510M
type = jumble
type = jumble off
type = trace start -1
type = trace start 1
type = trace start 100
type = trace start 200
type = trace stop
type = why fail
expect = ^mem takes no words
expect = ^reboot takes no words
expect = ^poweroff takes no words
expect = ^check takes no words
expect = ^cpu takes at most 1 word: cpu \[number\]
expect = ^help takes at most 1 word
expect = ^log takes at most 1 word
expect = ^There is no CPU 77: this machine runs 0 and 1
expect = ^-1 is no number of a CPU
expect = ^ . CPU 1 +up
expect = ^There is no crash nonsense
expect = ^There is no command HELP; is it help\?
expect = ^There is no command nonsense; `help` lists them
expect = ^a run of 15\.9 EiB failed: never possible: all RAM is 511 MiB
expect = ^18446744073709551616 is beyond 2\^64: no memory is that large
expect = ^a run of 95\.3 PiB failed: never possible
expect = ^0 is no frame at all
expect = ^-1 is no count of frames and no size
expect = ^align=8K: that limit is there already
expect = ^align=3K is not whole frames
expect = ^node=-1 is no number
expect = ^There is no node 4294967296: this machine has node 0 alone
expect = ^color=red is no limit
expect = ^a run of 16\.0 KiB, below 0x1000 failed: [^:]*\sno\sRAM\sthat\smay\sbe\shanded\sout\sthere\sis\sthat\slong
expect = ^ +never possible: all RAM is 511 MiB
expect = ^quote takes a count of frames or a size
expect = ^ You hold nothing
expect = ^ Given back: 1 run
expect = ^Never: all of RAM is 511 MiB
expect = ^cairn> jumble 600M\nNever: all of RAM is 511 MiB
expect = ^There is not that much: 50\d MiB are free\.\ncairn> jumble\n There is no jumble\.
expect = ^That is not even room for how memory is now
expect = ^ There is no jumble any more
expect = ^-1 is no number of records: 1 to 4194304
expect = ^ Recording\. Of the room for 100 records 
expect = ^ The trace before this one is forgotten
check = columns
expect = ^ stopped: \d+ of 200 records
