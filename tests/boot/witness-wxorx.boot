what = The walk from outside sees what the breaker did.
cmdline = break=wxorx
end = text
expect = breaker: break=wxorx: done
expect = cairn> 
check = wx-seen
