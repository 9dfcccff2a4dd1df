what = The machine of make run.
memory = 512M
check = memory screen
