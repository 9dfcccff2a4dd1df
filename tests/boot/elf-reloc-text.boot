what = A kernel file that is wrong: reloc-text.
file = cairn/kernel.elf elf reloc-text
end = text
expect = (?i)kernel
