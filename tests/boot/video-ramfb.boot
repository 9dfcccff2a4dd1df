what = A framebuffer in RAM.
video = ramfb
check = memory screen
