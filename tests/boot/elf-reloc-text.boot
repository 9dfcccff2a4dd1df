what = A kernel file that must be refused: reloc-text.
file = cairn/kernel.elf elf reloc-text
end = text
expect = \[RELR_TARGET\]
status = running
