what = The smallest machine that is promised.
memory = 48M
check = memory screen
