what = All RAM declared bad: enough is kept to say so at the prompt.
cmdline = badmem=0,0xffffffffffffffff
expect = badmem: 1024 frames are used all the same
expect = balanced
end = text
status = running
