what = A kernel file that is wrong: truncated.
file = cairn/kernel.elf elf truncated
end = text
expect = (?i)kernel
