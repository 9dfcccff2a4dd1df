what = A range over all addresses marks what RAM there is, and ends.
cmdline = badmem=0x8000000,0xfffffffff7ffffff badmem=1,1 test=all
expect = badmem: [1-9][0-9]* frames from 0x8000000 will never be handed out
expect = badmem: [1-9][0-9]* frames from 0x[0-9a-f]+ on are in use, (kernel image|page tables|handoff)\.
expect = P12 PASS .*bad=[1-9]
