what = Memory above 4 GiB, beyond the hole.
memory = 5G
check = memory screen columns
type = map
type = map 2M
expect = ^ [\d,]+ are whole, 0 could be emptied, \d+ cannot$
