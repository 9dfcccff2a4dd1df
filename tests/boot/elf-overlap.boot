what = A kernel file that must be refused: overlap.
file = cairn/kernel.elf elf overlap
end = text
expect = \[SEGMENT_ORDER\]
status = running
