"""Bad firmware for boot scenarios: the shim of tests/firmware between the firmware and the loader.

Its lines on the serial port begin with `[S] `; tests/firmware/README.md says what they mean.
"""

import os
import re

import qemu

SHIM = os.path.join(qemu.BUILD, "firmware/SHIM.EFI")
LOADER = "EFI/BOOT/BOOTX64.EFI"
NEVER = r"^\[S\] (VIOLATION|NOT-PLAYED|UNKNOWN|BROKEN|STALE-KEY|LEAK)"
MAP_ROW = re.compile(r"^\[T\] \S+ PASS name=the_map_is_what_the_firmware_said (.*)$", re.M)


def put_shim(image, quirks):
    """The shim takes the loader's place, and starts it."""
    qemu.make_directory(image, "EFI/CAIRN")
    qemu.write_file(image, "EFI/CAIRN/LOADER.EFI", qemu.read_file(image, LOADER))
    with open(SHIM, "rb") as f:
        qemu.write_file(image, LOADER, f.read())
    qemu.write_file(image, "quirks.txt", "".join(q + "\n" for q in quirks).encode())


def add_promises(quirks, end, expect, forbid):
    """What every run through the shim has to show."""
    expect += [r"^\[S\] quirk=" + re.escape(q.split("=")[0]) + " " for q in quirks]
    forbid.append(NEVER)
    if end == "returns":
        expect += [r"^\[S\] CLEAN", r"^\[S\] RETURNED status=0x8", r"^\[S\] END violations=0"]
        forbid.append(r"^\[S\] LEAVING")
    elif end != "text":
        expect.append(r"^\[S\] LEAVING violations=0")


def problems_of_map(text):
    """The kernel's map, class by class and border by border, against what the shim painted."""
    wanted = dict(re.findall(r"^\[S\] expect (\w+)=(\S+)", text, re.M))
    row = MAP_ROW.search(text)
    if not wanted or not row:
        return [] if "[T] SUMMARY" not in text else ["nothing to compare the kernel's map with"]
    found = dict(pair.split("=") for pair in row[1].split())
    return [f"the map: {key} is {found.get(key, 'nothing')}, the firmware said {wanted.get(key, 'nothing')}"
            for key in sorted(wanted.keys() | found.keys()) if wanted.get(key) != found.get(key)]
