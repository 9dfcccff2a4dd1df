what = Out of memory at the first allocation of the loader, at the second, and so on: each time it says so, gives everything back and returns.
shim = oom-each
end = pass
expect = ^\[S\] CLEAN
expect = ^\[S\] OOM from=7
expect = ^Cairn cannot start: .*memory
timeout = 120
