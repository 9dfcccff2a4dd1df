what = Rebooting by the ACPI reset register.
cmdline = panic=reboot crash=ud reset=acpi log=info
end = text
expect = reboot: the ACPI reset register
status = 0
