what = The invariant 'bitmap' is broken on purpose: its check must fail.
cmdline = break=bitmap test=all
end = fail
