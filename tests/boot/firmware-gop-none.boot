what = The firmware has no graphics.
quirks = nogop
check =
