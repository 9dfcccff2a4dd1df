"""The machine that Cairn is run and tested on: the one place where QEMU's command line is put together.

Used by scripts/run (make run, make gdb), scripts/test-boot, scripts/insns and scripts/screenshot.
"""

import hashlib
import json
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

QEMU = os.environ.get("QEMU", "qemu-system-x86_64")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, os.environ.get("BUILD") or "build")
IMAGE = os.path.join(BUILD, "cairn.img")
PARTITION_OFFSET = "@@1M"  # Where scripts/mkesp puts the FAT file system, in the words of mtools.

# OVMF's code and variables, by the name of the build: Debian and Ubuntu, Fedora, Arch, Homebrew.
FIRMWARE = {
    "4M": [("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
           ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
           ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
           ("/opt/homebrew/share/qemu/edk2-x86_64-code.fd", "/opt/homebrew/share/qemu/edk2-i386-vars.fd"),
           ("/usr/local/share/qemu/edk2-x86_64-code.fd", "/usr/local/share/qemu/edk2-i386-vars.fd")],
    "2M": [("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd")],
}

DEFAULTS = {
    "board": "q35",       # q35; pc: no PCI Express, so no MCFG and configuration space through ports
    "memory": "512M",     # RAM; any size, the host does not have to have it
    "cpu": "max",         # qemu64, max, max,la57=on, ...; host under KVM
    "smp": "1",           # CPUs
    "nodes": "1",         # NUMA nodes, RAM and CPUs shared out evenly
    "bare": "0",          # so many nodes more, behind those, that have CPUs and no memory
    "distances": "",      # between nodes: a row each, / between rows; 21 and more upwards and 31 and more back without it
    "srat": "",           # nodes by a table of ours instead: memory NODE:START-END and cpu NODE@APIC; numbers in hexadecimal
    "slit": "",           # the distances to that: a row each, / between rows
    "disk": "virtio",     # virtio, nvme, ahci, usb
    "video": "std",       # std, virtio-gpu (Blt only), ramfb, none
    "firmware": "4M",     # 4M, 2M
    "serial": "yes",      # yes, none: the machine has no serial port
    "rng": "yes",         # yes, none: a virtio-rng, which is EFI_RNG_PROTOCOL
    "devices": "",        # more of QEMU's devices, as -device takes them, blanks between them
}

DISKS = {
    "virtio": ["-device", "virtio-blk-pci,drive=esp"],
    "nvme": ["-device", "nvme,drive=esp,serial=cairn"],
    "ahci": ["-device", "ide-hd,drive=esp,bus=ide.0"],
    "usb": ["-device", "qemu-xhci", "-device", "usb-storage,drive=esp"],
}
VIDEOS = {
    "std": ["-vga", "std"],
    "virtio-gpu": ["-vga", "none", "-device", "virtio-gpu-pci"],
    "ramfb": ["-vga", "none", "-device", "ramfb"],
    "none": ["-vga", "none"],
}


def firmware(name):
    """(code, variables) of an OVMF build; stops with a clear message when it is not installed."""
    if os.environ.get("OVMF_CODE") and os.environ.get("OVMF_VARS"):
        return os.environ["OVMF_CODE"], os.environ["OVMF_VARS"]
    for pair in FIRMWARE.get(name, []):
        if all(os.path.exists(f) for f in pair):
            return pair
    sys.exit(f"qemu: no OVMF build '{name}' found; set OVMF_CODE and OVMF_VARS to its files")


def size_bytes(text):
    return int(text[:-1]) << {"K": 10, "M": 20, "G": 30, "T": 40}[text[-1]]


def srat(text):
    """The body of an SRAT (ACPI 6.5 5.2.16): entries NODE:START-END for memory, NODE@APIC for CPUs."""
    body = struct.pack("<IQ", 1, 0)
    for entry in text.split():
        if "@" in entry:
            node, apic = (int(n, 16) for n in entry.split("@"))
            body += struct.pack("<BBBBIB3sI", 0, 16, node & 0xff, apic, 1, 0, node.to_bytes(4, "little")[1:], 0)
        else:
            node, _, ends = entry.partition(":")
            start, end = (int(n, 16) for n in ends.split("-"))
            body += struct.pack("<BBIHQQIIQ", 1, 40, int(node, 16), 0, start, end - start, 0, 1, 0)
    return body


def acpi_table(signature, body):
    """QEMU's words for one ACPI table more; its bytes go to a file named after them."""
    directory = os.path.join(BUILD, "acpi")
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f"{signature}-{hashlib.sha256(body).hexdigest()[:16]}.bin")
    with tempfile.NamedTemporaryFile(dir=directory, delete=False) as f:
        f.write(body)
    os.replace(f.name, path)
    return ["-acpitable", f"sig={signature},rev=3,data={path.replace(',', ',,')}"]


def command(machine, image, serial="mon:stdio", display="none", accel="tcg", extra=()):
    """The command line for a machine: a dict with the keys of DEFAULTS, missing ones take their defaults."""
    m = {**DEFAULTS, **{k: v for k, v in machine.items() if v}}
    code, variables, image = (path.replace(",", ",,") for path in (*firmware(m["firmware"]), image))  # A comma ends an option.
    line = [QEMU, "-nodefaults", "-no-user-config", "-accel", accel, "-cpu", m["cpu"], "-smp", m["smp"]]

    # Memory is reserved by the host page by page as it is used, so that 64 GiB boot on a host of 4.
    nodes = int(m["nodes"])
    backend = "memory-backend-ram,reserve=off"
    if nodes == 1:
        line += ["-machine", f"{m['board']},memory-backend=ram0", "-m", m["memory"],
                 "-object", f"{backend},id=ram0,size={m['memory']}"]
    else:
        line += ["-machine", m["board"], "-m", m["memory"]]
        bare = int(m["bare"])
        share, cpus = size_bytes(m["memory"]) // nodes, int(m["smp"]) // (nodes + bare)
        for n in range(nodes):
            line += ["-object", f"{backend},id=ram{n},size={share}",
                     "-numa", f"node,nodeid={n},memdev=ram{n},cpus={n * cpus}-{(n + 1) * cpus - 1}"]
        for n in range(nodes, nodes + bare):
            line += ["-numa", f"node,nodeid={n},cpus={n * cpus}-{(n + 1) * cpus - 1}"]
        nodes += bare
        rows = [row.split() for row in m["distances"].split("/")] if m["distances"] else [
            [10 if a == b else 20 + abs(a - b) + 10 * (a > b) for b in range(nodes)] for a in range(nodes)]
        for a in range(nodes):
            for b in range(nodes):
                line += ["-numa", f"dist,src={a},dst={b},val={rows[a][b]}"]
    if m["srat"]:
        line += acpi_table("SRAT", srat(m["srat"]))
    if m["slit"]:
        rows = [[int(d) for d in row.split()] for row in m["slit"].split("/")]
        line += acpi_table("SLIT", struct.pack("<Q", len(rows)) + bytes(d for row in rows for d in row))

    # Firmware and disk are read only for us: what the guest writes is forgotten.
    line += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
             "-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={variables}",
             "-drive", f"if=none,id=esp,format=raw,snapshot=on,file={image}", *DISKS[m["disk"]]]
    line += VIDEOS[m["video"]]
    line += ["-display", display]
    line += ["-serial", serial if m["serial"] == "yes" else "none"]
    if m["rng"] == "yes":
        line += ["-device", "virtio-rng-pci"]
    for device in m["devices"].split():
        line += ["-device", device]
    # Writing n to port 0xf4 ends QEMU with status 2n + 1: how tests report.
    line += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
    return line + list(extra)


def shell_line(line):
    """The command for people: one option a line, ready to paste."""
    import shlex
    out, i = [shlex.quote(line[0])], 1
    while i < len(line):
        words = [line[i]]
        while i + 1 < len(line) and not line[i + 1].startswith("-"):
            i += 1
            words.append(line[i])
        out.append(" ".join(shlex.quote(w) for w in words))
        i += 1
    return " \\\n    ".join(out)


# --- the disk image ---------------------------------------------------------------------------------------------------

def mtools(*args, data=None):
    env = {**os.environ, "MTOOLS_SKIP_CHECK": "1", "TZ": "UTC"}
    return subprocess.run(args, input=data, env=env, check=True, stdout=subprocess.PIPE).stdout


def read_file(image, path):
    return mtools("mtype", "-i", image + PARTITION_OFFSET, "::" + path)


def write_file(image, path, data):
    """Replaces a file on the image; None removes it."""
    fat = image + PARTITION_OFFSET
    if data is None:
        mtools("mdel", "-i", fat, "::" + path)
        return
    with tempfile.NamedTemporaryFile() as f:
        f.write(data)
        f.flush()
        mtools("mcopy", "-o", "-i", fat, f.name, "::" + path)


def make_directory(image, path):
    mtools("mmd", "-D", "s", "-i", image + PARTITION_OFFSET, "::" + path)


def configured(image, settings):
    """boot.cfg of the image with some keys set: the text, as bytes."""
    lines = read_file(image, "boot.cfg").decode().splitlines()
    for key, value in settings.items():
        lines = [l for l in lines if l.split("=")[0].strip() != key] + [f"{key} = {value}"]
    return ("\n".join(lines) + "\n").encode()


# --- QMP --------------------------------------------------------------------------------------------------------------

class Qmp:
    """QEMU's control socket."""

    def __init__(self, path, timeout=60, process=None):
        deadline = time.monotonic() + timeout
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                break
            except OSError:
                self.socket.close()
                if process and process.poll() is not None:
                    raise RuntimeError(f"QEMU ended with status {process.returncode} before it began") from None
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self.socket.settimeout(120)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.call("qmp_capabilities")

    def call(self, name, **arguments):
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline() or '{"error": {"desc": "QEMU has gone"}}')
            if "error" in answer:
                raise RuntimeError(f"QMP {name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def monitor(self, line):
        return self.call("human-monitor-command", **{"command-line": line})

    def memory(self, address, size):
        """Bytes of guest RAM by physical address."""
        with tempfile.NamedTemporaryFile() as f:
            self.call("pmemsave", val=address, size=size, filename=f.name)
            return open(f.name, "rb").read()

    def close(self):
        self.file.close()
        self.socket.close()


# --- KVM --------------------------------------------------------------------------------------------------------------

def kvm_boots(image):
    """True when KVM boots OVMF and Cairn here: tried once, remembered in build/ until QEMU or the host's kernel change.

    /dev/kvm alone proves nothing: nested or restricted KVM may open and then hang in the firmware.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK) or not have(QEMU):
        return False
    version = subprocess.run([QEMU, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    key = f"{version} on {platform.release()}"
    cache = os.path.join(BUILD, "kvm.probe")
    try:
        with open(cache) as f:
            known = json.load(f)
        if known["key"] == key:
            return known["boots"]
    except (OSError, ValueError, KeyError):
        pass
    print("qemu: trying whether KVM boots the firmware here (once) ...", file=sys.stderr, flush=True)
    boots = False
    with tempfile.TemporaryDirectory() as scratch:
        log = os.path.join(scratch, "serial")
        line = command({"cpu": "host"}, image, serial=f"file:{log}", accel="kvm", extra=["-no-reboot"])
        with subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and p.poll() is None and not boots:
                time.sleep(0.1)
                if os.path.exists(log):
                    with open(log, "rb") as f:
                        boots = b"cairn> " in f.read()
            p.kill()
    with open(cache, "w") as f:
        json.dump({"key": key, "boots": boots}, f)
    return boots


def accelerator(image, wanted=None):
    if wanted:
        return wanted
    return "kvm" if kvm_boots(image) else "tcg"


def scratch_copy(image, directory):
    """A copy of the image that may be changed; sparse where the file system can."""
    copy = os.path.join(directory, "disk.img")
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, copy], check=True)
    return copy


def have(program):
    return shutil.which(program) is not None
