what = No kernel: the loader names the path and returns to the firmware.
file = cairn/kernel.elf remove
end = text
expect = (?i)cairn.kernel\.elf
