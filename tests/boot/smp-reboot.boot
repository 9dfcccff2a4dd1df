what = A panic on one of four CPUs, and the machine starts again.
smp = 4
cmdline = crash=stack panic=reboot
end = text
expect = the others are stopped
expect = panic=reboot: starting again
status = 0
