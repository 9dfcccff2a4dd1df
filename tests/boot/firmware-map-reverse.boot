what = A map sorted downwards, every descriptor twice, garbage in VirtualStart.
quirks = reverse virtual double
check = memory
