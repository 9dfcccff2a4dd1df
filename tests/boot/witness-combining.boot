what = The walk from outside sees RAM that a device has as write-combining, exactly that, and IA32_PAT agrees.
cmdline = break=combining
end = text
expect = breaker: break=combining: done
expect = cairn> 
check = combining-seen
