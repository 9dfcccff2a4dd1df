what = A mode of boot.cfg's choice.
config = video 800x600
check = memory screen
