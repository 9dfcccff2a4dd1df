what = Loader data cannot be executed and is full of rubbish; ExitBootServices fails 40 times.
shim = nx-data, alloc-dirty, ebs-fails=40
end = pass
