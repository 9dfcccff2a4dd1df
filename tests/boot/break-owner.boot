what = The invariant 'owner' is broken on purpose: its check must fail.
cmdline = break=owner test=all
end = fail
