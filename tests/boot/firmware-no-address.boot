what = AllocateAddress always fails.
quirks = noaddress
check = memory
