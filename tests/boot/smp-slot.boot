what = The machine is switched off while another CPU is in the middle of an operation: it ends that first.
smp = 2
cmdline = crash=slot
end = text
expect = crash: CPU 1 leaves its slot
forbid = CPUs? did not stop
status = 0
