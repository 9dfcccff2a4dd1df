what = A kernel file that is wrong: reloc-outside.
file = cairn/kernel.elf elf reloc-outside
end = text
expect = (?i)kernel
