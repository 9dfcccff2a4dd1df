what = A kernel file that must be refused: empty.
file = cairn/kernel.elf elf empty
end = text
expect = \[FILE_SIZE\]
status = running
