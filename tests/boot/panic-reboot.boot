what = panic=reboot reboots.
cmdline = panic=reboot crash=ud
end = text
expect = \*\*\* PANIC:
expect = panic=reboot
status = 0
