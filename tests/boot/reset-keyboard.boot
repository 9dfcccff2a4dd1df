what = Rebooting by the keyboard controller.
cmdline = panic=reboot crash=ud reset=keyboard log=info
end = text
expect = reboot: the keyboard controller
status = 0
