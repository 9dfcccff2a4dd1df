what = Empty, nested, overlapping, unaligned and unknown descriptors.
quirks = empty nested overlap unaligned unknown
check = memory
