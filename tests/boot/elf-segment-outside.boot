what = A kernel file that must be refused: segment-outside.
file = cairn/kernel.elf elf segment-outside
end = text
expect = \[SEGMENT_FILE\]
status = running
