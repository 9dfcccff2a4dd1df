what = A fixed seed.
config = kaslr 42
check = memory
