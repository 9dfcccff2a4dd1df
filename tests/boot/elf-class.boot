what = A kernel file that is wrong: class.
file = cairn/kernel.elf elf class
end = text
expect = (?i)kernel
