what = A panic says what mm_check finds: the first broken invariant.
cmdline = break=record test=P7 panic=exit
end = text
expect = mm_check  INV-2 record broken
status = 3
