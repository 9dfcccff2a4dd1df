what = The firmware lists two CPUs that are not there, before one that is.
smp = 2,maxcpus=4
shim = cpu-missing
cmdline = test=all
end = pass
expect = smp: the CPU with APIC id 3 does not answer: it is left out
expect = smp: the CPU with APIC id 2 does not answer: it is left out
expect = ^\[.*\] smp: 2 of 4 CPUs up in \d+ us
expect = P13 PASS name=calls_reach_every_cpu_from_every_cpu
