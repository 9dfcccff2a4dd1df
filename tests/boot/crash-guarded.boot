what = A panic inside a call whose faults are caught, and a fault while it is told: it does not end in the caller.
cmdline = crash=guarded panic=exit
end = text
expect = second panic while the first was told: page fault at 
status = 3
