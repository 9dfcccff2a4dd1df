what = A kernel file that is wrong: huge.
file = cairn/kernel.elf elf huge
end = text
expect = (?i)kernel
