what = A list that has failed on the host and was shrunk there is run again by the line that the host has printed.
memory = 512M
model = 0x1007 bitmap
end = fail
check = model
expect = ^\[T\] # machine 0x1007: [0-9]+ slots, [0-9]+ steps kept, .* fails
