what = The invariant 'counter' is broken on purpose: its check must fail.
cmdline = break=counter test=all
end = fail
