what = Too little memory for a kernel of 48 MiB: the loader says how much it needs.
memory = 64M
file = cairn/kernel.elf elf large
end = text
expect = not enough memory: the kernel needs \d+ KiB in a row
expect = give the machine more memory
status = running
