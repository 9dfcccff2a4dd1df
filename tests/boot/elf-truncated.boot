what = A kernel file that must be refused: truncated.
file = cairn/kernel.elf elf truncated
end = text
expect = \[SEGMENT_FILE\]
status = running
