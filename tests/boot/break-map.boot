what = The invariant 'map' is broken on purpose: its check must fail.
cmdline = break=map test=all
end = fail
