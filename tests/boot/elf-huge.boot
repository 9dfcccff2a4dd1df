what = A kernel file that must be refused: huge.
file = cairn/kernel.elf elf huge
end = text
expect = \[IMAGE_LIMIT\]
status = running
