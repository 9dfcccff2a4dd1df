what = The invariant 'tier' is broken on purpose: its check must fail.
cmdline = break=tier test=all
end = fail
