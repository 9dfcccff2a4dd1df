what = The kernel's file cannot be read to its end.
shim = read-error
end = returns
expect = kernel\.elf cannot be read
