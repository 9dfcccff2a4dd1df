what = A pitch below the width and a framebuffer of half the size.
quirks = pitch small
check =
