what = A deliberate fault: twice.
cmdline = crash=twice panic=exit
end = text
expect = second panic while the first was told: page fault at 
status = 3
