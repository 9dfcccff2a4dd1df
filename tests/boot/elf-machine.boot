what = A kernel file that must be refused: machine.
file = cairn/kernel.elf elf machine
end = text
expect = \[MACHINE\]
status = running
