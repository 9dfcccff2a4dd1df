what = ExitBootServices fails 90 times and the map grows by 12 descriptors each time.
quirks = exit=90 grow=12
check = memory
