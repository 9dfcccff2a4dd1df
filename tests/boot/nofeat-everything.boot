what = Every feature that can be forced off at all.
cmdline = test=all nofeat=wp,nx,pge,pat,smep,smap,umip,pdpe1gb,mce,tsc,apic,pcid,rdrand,rdseed,x2apic,invtsc

expect = nofeat=tsc is not possible: the clock stands on it
expect = K11 PASS .*[=,]tsc
