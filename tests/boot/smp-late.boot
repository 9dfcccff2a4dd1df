what = A CPU that comes after it was given up sleeps for ever and touches nothing; the others do without it.
smp = 4
cmdline = break=late-cpu test=all
check = memory
type = cpu
type = ledger
expect = smp: CPU 1 \(APIC id 1\) has begun and does not come: it is given up, its \d+ frames stay its own
expect = ^\[.*\] smp: 3 of 4 CPUs up in \d+ us
expect = K14 PASS name=who_comes_too_late_is_not_there given_up=1
expect = CPU 1 +came too late
expect = balanced to the frame
