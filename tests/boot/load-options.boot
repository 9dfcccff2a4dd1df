what = EFI load options, here from the UEFI shell, are appended to the command line of boot.cfg.
cmdline = log=info
file = cairn.efi copy EFI/BOOT/BOOTX64.EFI
file = EFI/BOOT/BOOTX64.EFI remove
file = startup.nsh text fs0:\n\\cairn.efi test=all panic=exit\n
expect = ^\[T\] SUMMARY .*fail=0 .*ledger=ok
type = options
expect = ^ panic=\S+ +exit
expect = ^ log=\S+ +info
