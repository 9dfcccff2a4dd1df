what = A kernel file that must be refused: type.
file = cairn/kernel.elf elf type
end = text
expect = \[TYPE\]
status = running
