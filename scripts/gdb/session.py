"""make gdb: QEMU stopped at the kernel's first instruction, gdb attached, symbols where the kernel really lies.

GDB_ARGS is appended to gdb's command line ("-batch -ex bt" makes a session without a person).
"""

import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import time

import qemu


def entry_of_elf(path):
    with open(path, "rb") as f:
        return struct.unpack_from("<Q", f.read(64), 24)[0]


def main(machine, image, scratch):
    kernel = os.path.join(qemu.BUILD, "kernel.elf")
    serial = os.path.join(qemu.BUILD, "gdb-serial.log")
    ours, plugins, gdb = (os.path.join(scratch, name) for name in ("qmp", "qmp-plugin", "gdb"))
    line = qemu.command(machine, image, serial=f"file:{serial}", extra=[
        "-qmp", f"unix:{ours},server=on,wait=off", "-qmp", f"unix:{plugins},server=on,wait=off",
        "-gdb", f"unix:{gdb},server=on,wait=off", "-plugin", f"{qemu.BUILD}/bench/stop.so,qmp={plugins}", "-no-reboot"])
    if os.environ.get("PRINT"):
        print(qemu.shell_line(line))
        return 0
    if not qemu.have("gdb"):
        sys.exit("gdb: there is no gdb here; make setup")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # So that no machine stays behind.
    machine_process = subprocess.Popen(line, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        try:
            control = qemu.Qmp(ours, process=machine_process)
        except (RuntimeError, OSError) as error:
            sys.exit(f"gdb: no machine: {error}")
        print(f"gdb: booting to the kernel's first instruction; the serial port goes to {serial}", flush=True)
        deadline = time.monotonic() + 240
        while control.call("query-status")["status"] != "paused":
            if machine_process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"gdb: the kernel was not reached; see {serial}")
            time.sleep(0.05)
        rip = int(re.search(r"RIP=([0-9a-f]+)", control.monitor("info registers"))[1], 16)
        slide = rip - entry_of_elf(kernel)
        arguments = ["gdb", "-q", "-ex", "set confirm off", "-ex", f"target remote {gdb}",
                     "-ex", f'add-symbol-file "{kernel}" -o {slide:#x}',
                     "-x", os.path.join(qemu.ROOT, "scripts/gdb/kernel.py")]
        # Ctrl-C is gdb's way to stop the kernel; it must not stop this script.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return subprocess.run(arguments + shlex.split(os.environ.get("GDB_ARGS", "")),
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)).returncode
    finally:
        machine_process.kill()
        machine_process.wait()
