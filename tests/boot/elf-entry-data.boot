what = A kernel file that is wrong: entry-data.
file = cairn/kernel.elf elf entry-data
end = text
expect = (?i)kernel
