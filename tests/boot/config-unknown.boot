what = An unknown key and a bad value are warnings with file and line.
file = boot.cfg text frobnicate = 1\nvideo = purple\ncmdline = test=all\n
expect = boot\.cfg:1
expect = boot\.cfg:2
