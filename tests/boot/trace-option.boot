what = A trace may begin with the boot; one that is full says how much it has lost.
cmdline = test=V26 trace=frames:2000
type = trace
type = trace save
type = trace start 0
type = trace nonsense
type = trace
expect = ^ running: 2000 of 2000 records, [1-9][0-9]* lost
expect = ^\[R\] cairn-trace 1 engine=tier nodes=1 records=7d0 lost=[1-9a-f]
expect = ^0 is no number of records: 1 to 4194304
expect = ^trace takes start
expect = ^ stopped: 2000 of 2000 records, [1-9]\d* lost
