what = At the prompt: memory in a jumble, a run that is quoted, drawn, made; then all of it tidied up.
memory = 256M
type = jumble 238M
type = alloc 16M
type = quote 16M align=2M
type = alloc 16M align=2M moves=3
type = alloc 16M align=2M moves=4096
type = map 2M
type = compact
type = map 2M
type = jumble
type = quote 16M moves=4
type = quote 2M node=0
type = quote 2M node=7
type = quote 9G
type = quote 2M below=1M
type = quote 240M
type = free all
type = jumble off
type = map 2M
type = check
expect = movable frames .*;\n 0 moved so far, [\d,]+ intact
expect = ^No run of 16.0 MiB is free, but one can be made: with moves=\d+
expect = ^ 0x[0-9a-f]+-0x[0-9a-f]+, 16.0 MiB: [\d,]+ frames would move, 
expect = ^ 0x[0-9a-f]+-0x[0-9a-f]+, 16.0 MiB
expect = node 0: (\d+) whole 2 MiB frames of \1 possible, \d+ before;\n +[\d,]+ frames moved
expect = [1-9][\d,]* moved so far
expect = ^ what is free could make (\d+) whole ones: compact makes them
expect = ^ (\d+) are whole, [\d,]+ could be emptied, \d+ cannot\n what is free could make \1 whole ones\n
expect = ^ \d+ are whole, 0 could be emptied, \d+ cannot
expect = ^Never: no RAM that may be handed out there
expect = ^moves= is what `alloc` may spend
expect = ^There is no node \d+: this machine has node 0 alone
check = columns
