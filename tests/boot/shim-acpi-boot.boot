what = The ACPI tables lie in boot services' memory, which is cleared as soon as it is taken.
shim = acpi-boot
smp = 2
cmdline = zero=free log=info test=all
expect = acpi: +\d+ tables, CPUs: 2, .* S5 known
forbid = no tables that can be used
