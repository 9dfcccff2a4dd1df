what = No serial port: prompt on the screen, typing on the PS/2 keyboard.
serial = none
type = help
screen = ledger
