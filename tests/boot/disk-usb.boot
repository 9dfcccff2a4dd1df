what = The partition on a USB stick.
disk = usb
check = memory
