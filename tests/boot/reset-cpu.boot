what = Rebooting by a triple fault.
cmdline = panic=reboot crash=ud reset=cpu log=info
end = text
expect = reboot: a triple fault
status = 0
