what = No serial port: the tests' result comes by the exit device.
serial = none
end = pass
