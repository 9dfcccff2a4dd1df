what = A stride of 64 bytes and 1500 more descriptors.
quirks = stride=64 many=1500
check = memory
