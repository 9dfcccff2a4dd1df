what = The allocator against its model, from a seed, as the host runs it.
memory = 512M
cmdline = test=P1 model=0x1007
expect = \[T\] P1 PASS name=random_operations_agree_with_the_model seed=0x1007 operations=8000
