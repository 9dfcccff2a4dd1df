what = More memory than the host has; nothing may cost O(RAM).
memory = 64G
check = memory screen
