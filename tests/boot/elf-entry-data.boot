what = A kernel file that must be refused: entry-data.
file = cairn/kernel.elf elf entry-data
end = text
expect = \[ENTRY\]
status = running
