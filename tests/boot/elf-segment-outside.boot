what = A kernel file that is wrong: segment-outside.
file = cairn/kernel.elf elf segment-outside
end = text
expect = (?i)kernel
