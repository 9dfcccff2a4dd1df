what = Graphics without a framebuffer.
quirks = blt
check =
