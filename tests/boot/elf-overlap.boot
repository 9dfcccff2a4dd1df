what = A kernel file that is wrong: overlap.
file = cairn/kernel.elf elf overlap
end = text
expect = (?i)kernel
