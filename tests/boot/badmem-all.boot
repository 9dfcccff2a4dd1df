what = All RAM declared bad: enough is kept to say so at the prompt.
cmdline = badmem=0,0xffffffffffffffff
expect = badmem: 1024 frames are used all the same
expect = balanced
end = text
status = running
expect = badmem: [1-9][0-9]* frames from 0x[0-9a-f]+ on are in use, frame records\.  There was no other memory
