what = A linear framebuffer: write-combining by the PAT, prompt on the screen.
memory = 128M
check = memory pat screen
