what = A kernel file that is wrong: magic.
file = cairn/kernel.elf elf magic
end = text
expect = (?i)kernel
