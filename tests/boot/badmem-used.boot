what = badmem= over what is used: the log says whose it is and what to do, the prompt how much; boot's own memory lies elsewhere.
config = kaslr off
cmdline = badmem=0x100000,8K badmem=0,1M badmem=0x4000000,0x18000000 badmem=0x5000000,4K badmem=0x7fffff000000
type = bad
type = mem
type = ledger
type = bad 0x105000
type = bad 101000
type = bad 0x101000
type = why 0x4000000
type = check
expect = badmem: 2 frames from 0x100000 on are in use, kernel image\.  It stays while Cairn runs\.  Boot again
expect = badmem: 160 frames from 0x0 are the firmware's
expect = badmem: \d+ frames from 0x4000000 will never be handed out
expect = badmem: 1 frame from 0x5000000 is out of service already
expect = badmem: 0x7fffff000000: no RAM is there
expect = ^ \d+ frames are out of service, 2 condemned ones are still in use
expect = ^ 0x100000-0x101fff  kernel image
expect = ^ 2 broken frames are still in use: `bad` says by whom
expect = ^   2 frames in use are broken: `bad` says whose
expect = bad: frame 0x105, kernel image: It stays while Cairn runs
expect = ^ in use: kernel image\.  It stays while Cairn runs\.  Boot again, without nokaslr
expect = ^bad takes one physical address, with 0x
expect = ^That is known already
expect = balanced to the frame
expect = state +bad
forbid = in use, (frame records|bitmaps|kernel data)
forbid = BROKEN
