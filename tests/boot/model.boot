what = The allocator against its model: twelve machines from their seeds, step for step as the host runs them.
memory = 512M
cmdline = test=random_operations model=0x1007 model.seeds=12
check = model
expect = \[T\] P1 PASS name=random_operations_agree_with_the_model seed=0x1007 operations=[0-9]{5}
