what = The invariant 'forbidden' is broken on purpose: its check must fail.
cmdline = break=forbidden test=all
end = fail
