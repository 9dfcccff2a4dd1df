what = nokaslr: every window at its fixed place.
config = kaslr off
check = memory
