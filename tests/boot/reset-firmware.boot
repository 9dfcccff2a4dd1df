what = Rebooting by the firmware: ResetSystem from its own address space.
cmdline = panic=reboot crash=ud log=info
end = text
expect = reboot: the firmware.s ResetSystem
forbid = ResetSystem (faulted|came back)
status = 0
