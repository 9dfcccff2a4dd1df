what = A kernel file that must be refused: reloc-outside.
file = cairn/kernel.elf elf reloc-outside
end = text
expect = \[RELR_TARGET\]
status = running
