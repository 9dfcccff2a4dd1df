what = A kernel file that must be refused: wx.
file = cairn/kernel.elf elf wx
end = text
expect = \[SEGMENT_WX\]
status = running
