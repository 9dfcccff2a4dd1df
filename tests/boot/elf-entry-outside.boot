what = A kernel file that is wrong: entry-outside.
file = cairn/kernel.elf elf entry-outside
end = text
expect = (?i)kernel
