what = A kernel file that is wrong: machine.
file = cairn/kernel.elf elf machine
end = text
expect = (?i)kernel
