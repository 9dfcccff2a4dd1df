what = The smallest machine that is promised: 48 MiB, one CPU and a screen.
memory = 48M
check = memory screen
