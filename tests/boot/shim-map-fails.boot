what = GetMemoryMap fails: the loader says so and gives up.
shim = map-fails
end = returns
expect = memory map is unusable
