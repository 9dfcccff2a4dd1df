what = No kernel: the loader names the path and returns to the firmware.
file = cairn/kernel.elf remove
end = text
expect = the kernel file \S*cairn.kernel\.elf cannot be opened
expect = copy the kernel to this path
status = running
