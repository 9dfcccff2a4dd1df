what = A kernel file that must be refused: class.
file = cairn/kernel.elf elf class
end = text
expect = \[CLASS\]
status = running
