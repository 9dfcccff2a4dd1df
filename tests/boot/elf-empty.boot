what = A kernel file that is wrong: empty.
file = cairn/kernel.elf elf empty
end = text
expect = (?i)kernel
