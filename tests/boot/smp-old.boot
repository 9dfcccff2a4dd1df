what = 2 CPUs of the simplest kind, with nothing that can be done without.
smp = 2
cpu = qemu64
cmdline = test=all nofeat=nx,pge,pat,pdpe1gb
expect = ^\[.*\] smp: 2 of 2 CPUs up in \d+ us
