what = A kernel file that must be refused: entry-outside.
file = cairn/kernel.elf elf entry-outside
end = text
expect = \[ENTRY\]
status = running
