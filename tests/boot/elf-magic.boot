what = A kernel file that must be refused: magic.
file = cairn/kernel.elf elf magic
end = text
expect = \[MAGIC\]
status = running
