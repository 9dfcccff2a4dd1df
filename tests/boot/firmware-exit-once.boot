what = ExitBootServices fails once.
quirks = exit=1
check = memory
