what = Descriptors that are empty, nested, overlapping, unaligned, without an end, beyond the CPU's addresses, of unknown and of rare types.
shim = map-empty, map-nested, map-overlap, map-oem, map-types, map-unaligned, map-runtime-ram, map-wrap-ram, map-far-ram
end = pass
