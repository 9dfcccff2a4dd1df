what = A mistake in the model's allocator shows at the same step as on the host, in the same words, and shrinks to the same list.
memory = 512M
smp = 2
cmdline = test=random_operations model=0x100d model.break=owner
end = fail
check = model
expect = ^\[T\] # machine 0x100d: [0-9]+ slots, [0-9]+ steps, .* fails
expect = ^\[T\] # again: make run CMDLINE='.* model.keep=
