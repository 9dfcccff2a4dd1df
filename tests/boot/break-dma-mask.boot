what = The allocator ignores what a device can reach: its data lands elsewhere, and the test must see it.
memory = 5G
devices = edu
cmdline = break=dma-mask test=P6
end = fail
expect = P6 FAIL name=a_device_copies_within_its_reach .*landed=elsewhere
