what = A GOP with Blt only: no framebuffer, serial all the same.
video = virtio-gpu
check = memory
