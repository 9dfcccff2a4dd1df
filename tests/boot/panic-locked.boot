what = A panic inside the allocator, with its lock held, still reboots.
cmdline = break=record test=P7 panic=reboot
end = text
expect = PANIC: INV-3
expect = panic=reboot
status = 0
