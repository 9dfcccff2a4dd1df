what = ExitBootServices fails for ever: the loader says so and gives up.
shim = ebs-fails=100000
end = returns
expect = did not let go of the machine
forbid = Stall
