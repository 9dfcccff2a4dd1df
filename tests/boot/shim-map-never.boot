what = No buffer is ever large enough for the map.
shim = map-never
end = returns
expect = memory map is unusable
