what = The kernel read in pieces of 4 KiB.
shim = read-most=4K
config = read_chunk 4K
