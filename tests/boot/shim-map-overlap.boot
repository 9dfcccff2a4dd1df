what = Descriptors that are empty, nested, overlapping, unaligned, without an end, of unknown and of rare types.
shim = map-empty, map-nested, map-overlap, map-oem, map-types, map-unaligned, map-runtime-ram, map-wrap-ram
end = pass
