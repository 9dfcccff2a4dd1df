what = Loader data cannot be executed, and the number of levels changes.
shim = nx-data, alloc-dirty
end = pass
cpu = max,la57=on
config = paging 5
