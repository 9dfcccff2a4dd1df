what = A frame that turns out to be broken leaves service: at once when it is free, when its owner frees it otherwise.
config = kaslr off
cmdline = log=warn
type = bad 0x7000000
type = why 0x7000000
type = bad 0x7000123
type = alloc 2M align=2M below=128M
type = bad 0x7f00000
type = bad 0x1000
type = bad
type = mem
type = free 0x7e00000
type = why 0x7f00000
type = alloc 2M align=2M below=128M
type = free all
type = bad
type = check
expect = it was free: out of service
expect = state +bad
expect = That is known already
expect = 0x7e00000-0x7ffffff
expect = in use: tests\.  It leaves service when that frees it
expect = bad: frame 0x7f00 is broken and in use: tests
expect = At 0x1000 is no memory of ours
expect = 1 frame is out of service, 1 condemned one is still in use
expect = 1 broken frame is still in use
expect = 0x7c00000-0x7dfffff
expect = 2 frames are out of service, 0 condemned ones are still in use
forbid = BROKEN
