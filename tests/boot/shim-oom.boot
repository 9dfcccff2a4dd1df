what = Out of memory at the first allocation of the loader, at the second, and so on, also after ExitBootServices has failed: each time it says so, gives everything back and returns.
shim = oom-each, map-fragments=600, ebs-fails=2, ebs-grow=400
end = pass
expect = ^\[S\] CLEAN
expect = ^\[S\] OOM from=12
expect = ^Cairn cannot start: .*memory
