what = A panel's EDID, modes described with wrong pitches: the picture is right.
shim = edid=1024x768, gop-query-pitch
config = video panel
check = screen
expect = ^\[T\] K1 PASS name=what_the_firmware_lent screen=1024x768 stride=1024
