what = A kernel file that is wrong: wx.
file = cairn/kernel.elf elf wx
end = text
expect = (?i)kernel
