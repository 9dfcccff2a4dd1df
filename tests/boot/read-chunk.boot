what = The kernel read in pieces of 4 KiB.
config = read_chunk 4K
