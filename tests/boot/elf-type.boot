what = A kernel file that is wrong: type.
file = cairn/kernel.elf elf type
end = text
expect = (?i)kernel
