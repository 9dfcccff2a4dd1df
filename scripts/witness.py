"""An independent witness: what QEMU itself says about the running machine, compared with what Cairn promises.

Nothing here asks the guest.  Page tables are walked in dumped physical memory, from the CR3 that QEMU shows; the PAT register
is read out of QEMU's migration stream; the screen is read back from a screendump with the packaged font.
"""

import gzip
import json
import os
import re
import struct
import tempfile
import time

PRESENT, WRITE, USER, PWT, PCD, LARGE, GLOBAL, NX = 1, 2, 4, 8, 16, 128, 256, 1 << 63
ADDRESS = 0x000FFFFFFFFFF000
UPPER_HALF = 1 << 63  # With four levels of tables and with five.
WRITE_COMBINING = 1  # A memory type in IA32_PAT (SDM 3A, table 12-10).


class Leaf:
    """One mapping: size bytes at virtual `va` to physical `pa`."""

    __slots__ = ("va", "pa", "size", "write", "execute", "user", "pat_index")

    def __init__(self, va, pa, size, write, execute, user, pat_index):
        self.va, self.pa, self.size = va, pa, size
        self.write, self.execute, self.user, self.pat_index = write, execute, user, pat_index

    def __str__(self):
        kind = "r" + ("w" if self.write else "-") + ("x" if self.execute else "-") + ("u" if self.user else "-")
        return f"{self.va:#018x}..{self.va + self.size:#018x} -> {self.pa:#x} {kind}"


def registers_of_all(qmp):
    """CR0, CR3, CR4, EFER, RIP, RSP of each CPU, and where its descriptors and its stack guard lie."""
    cpus = []
    for text in re.split(r"^CPU#\d+", qmp.monitor("info registers -a"), flags=re.M)[1:]:
        regs = {name: re.search(rf"\b{name}=([0-9a-f]+)", text) for name in ("CR0", "CR3", "CR4", "EFER", "RIP", "RSP")}
        regs |= {name: re.search(rf"^{name} *=[0-9a-f]+ ([0-9a-f]+)", text, re.M) for name in ("GS", "TR")}
        cpus.append({name: int(m[1], 16) if m else 0 for name, m in regs.items()})  # No RIP in real mode.
    return cpus


def problems_of_cpus(cpus, wanted):
    """The first `wanted` CPUs that have the kernel's tables are protected alike, and each has a block and a TSS of its own."""
    first = cpus[0]
    ours = [c for c in cpus if c["CR3"] == first["CR3"]]
    problems = [] if len(ours) == wanted else [f"{len(ours)} CPUs have the kernel's tables, not {wanted}"]
    for c in ours[1:]:
        problems += [f"another CPU's {name} is {c[name]:#x}, the first one's {first[name]:#x}"
                     for name in ("CR0", "CR4", "EFER") if c[name] != first[name]]
    for name in ("GS", "TR"):
        if len({c[name] for c in ours}) != len(ours):
            problems.append(f"two CPUs have the same {name} base")
    return problems


def leaves(qmp, regs):
    """Every leaf of the page tables, in order of virtual address."""
    levels = 5 if regs["CR4"] & (1 << 12) else 4
    found = []

    def walk(table, level, va, write, execute, user):
        for index, entry in enumerate(struct.unpack("<512Q", qmp.memory(table, 4096))):
            if not entry & PRESENT:
                continue
            at = va | index << (12 + 9 * (level - 1))
            if at & (1 << (11 + 9 * levels)):
                at |= -1 << (12 + 9 * levels) & 0xFFFFFFFFFFFFFFFF
            w, x, u = write and entry & WRITE, execute and not entry & NX, user and entry & USER
            if level > 1 and not (level <= 3 and entry & LARGE):
                walk(entry & ADDRESS, level - 1, at, w, x, u)
                continue
            size = 1 << (12 + 9 * (level - 1))
            pat = (entry >> 7 & 1) if level == 1 else (entry >> 12 & 1)
            found.append(Leaf(at, entry & ADDRESS & -size, size, bool(w), bool(x), bool(u),
                              pat << 2 | (entry >> 4 & 1) << 1 | entry >> 3 & 1))

    walk(regs["CR3"] & ADDRESS, levels, 0, True, True, True)
    return found


def pat_register(qmp):
    """IA32_PAT of the first CPU, from the migration stream, whose own description says where it stands."""
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "state")
        qmp.call("migrate", uri=f"exec:cat >{path}")
        deadline = time.monotonic() + 120
        while (status := qmp.call("query-migrate").get("status")) != "completed":
            if status == "failed" or time.monotonic() > deadline:
                raise RuntimeError(f"the migration stream: {status}")
            time.sleep(0.05)
        with open(path, "rb") as f:
            stream = f.read()
    # The description is JSON at the end; each device's data stands behind its section header, fields in order.
    start = stream.rindex(b'{"configuration"') if b'{"configuration"' in stream else stream.rindex(b'{"page_size"')
    description = json.JSONDecoder().raw_decode(stream[start:].decode("utf-8", "replace"))[0]
    device = next(d for d in description["devices"] if d["name"] == "cpu")
    offset = 0
    for field in device["fields"]:
        if field["name"] == "env.pat":
            break
        offset += field["size"] * field.get("array_len", 1)
    else:
        raise RuntimeError("no env.pat in the migration stream's description")
    # Section header: type 4 (full), section id, length and name, instance id, version id.
    name = b"\x03cpu" + struct.pack(">II", device["instance_id"], device["version"])
    data = stream.index(name) + len(name)
    return struct.unpack(">Q", stream[data + offset:data + offset + 8])[0]


def video_memory(qmp):
    """(start, end) of the VGA device's framebuffer BAR, or None."""
    for device in re.split(r"(?=^  Bus)", qmp.monitor("info pci"), flags=re.M):
        if "VGA controller" in device:
            if m := re.search(r"prefetchable memory at 0x([0-9a-f]+) \[0x([0-9a-f]+)\]", device):
                return int(m[1], 16), int(m[2], 16) + 1
    return None


def problems_of_memory(qmp, result, pat=False, cpus=1):
    """The same on all CPUs that run, W^X, the empty lower half, no writable alias of code, supervisor only, write-combining video memory."""
    qmp.call("stop")
    try:
        regs, *_ = everybody = registers_of_all(qmp)
        found = leaves(qmp, regs)
        problems = problems_of_cpus(everybody, cpus)
        problems += [f"writable and executable: {l}" for l in found if l.write and l.execute]
        problems += [f"mapped in the lower half: {l}" for l in found if l.va < UPPER_HALF]
        problems += [f"user mode may touch it: {l}" for l in found if l.user]
        code = [l for l in found if l.execute]
        if not code:
            problems.append("nothing is executable: the walk is wrong")
        for l in found:
            if l.write and any(l.pa < c.pa + c.size and c.pa < l.pa + l.size for c in code):
                problems.append(f"a writable alias of code: {l}")
        for name, register, bit in (("CR0.WP", "CR0", 16), ("EFER.NXE", "EFER", 11)):
            if not regs[register] >> bit & 1:
                problems.append(f"{name} is off")
        video = video_memory(qmp)
        values = result["pat"] = pat_register(qmp) if pat else None
        if video:
            windows = [l for l in found if l.pa < video[1] and video[0] < l.pa + l.size]
            for l in windows:
                if l.pat_index == 0:
                    problems.append(f"video memory with PAT entry 0, which is write-back: {l}")
                elif pat and values >> (8 * l.pat_index) & 0xFF != WRITE_COMBINING:
                    problems.append(f"video memory is not write-combining (IA32_PAT {values:#x}, entry {l.pat_index}): {l}")
                if l.execute:
                    problems.append(f"video memory is executable: {l}")
            if not windows:
                problems.append("video memory is not mapped")
            else:
                result["bases"]["framebuffer"] = windows[0].va
        # What was drawn: the code, the direct map (the commonest distance between virtual and physical), the stack.
        distance = {}
        for l in (l for l in found if l.pat_index == 0):
            distance[l.va - l.pa] = distance.get(l.va - l.pa, 0) + l.size
        result["bases"]["image"] = min((c.va for c in code), default=0)
        direct = result["bases"]["direct map"] = max(distance, key=distance.get)
        # RAM that is not write-back has been left so by somebody who gave it to a device.
        odd = [l for l in found if l.va - l.pa == direct and l.pat_index]
        result["combining"] = sum(l.size for l in odd if not pat or values >> (8 * l.pat_index) & 0xFF == WRITE_COMBINING)
        problems += [f"RAM that is not write-back: {l}" for l in odd]
        result["bases"]["stack"] = regs["RSP"] & ~0xFFFF
        result["leaves"], result["levels"] = len(found), 5 if regs["CR4"] & (1 << 12) else 4
        return problems[:8]
    finally:
        qmp.call("cont")


# --- the screen -------------------------------------------------------------------------------------------------------

class Font:
    """A PSF font as the console packages have it: bitmaps by character."""

    def __init__(self, path):
        data = gzip.open(path).read() if path.endswith(".gz") else open(path, "rb").read()
        if data[:2] == b"\x36\x04":
            count, self.width, self.height, start = 512 if data[2] & 1 else 256, 8, data[3], 4
            size = self.height
        else:
            _, _, start, _, count, size, self.height, self.width = struct.unpack("<8I", data[:32])
        row = (self.width + 7) // 8
        self.glyphs = {}
        for code in range(32, 127):
            bitmap = data[start + code * size:start + (code + 1) * size]
            rows = (int.from_bytes(bitmap[y * row:(y + 1) * row], "big") for y in range(self.height))
            self.glyphs.setdefault(tuple(r >> (row * 8 - self.width) for r in rows), chr(code))


class Screen:
    """A screendump, and the text on it."""

    # The console's fonts by the width of the screen, and its limits (kernel/drivers/console/pixels.c).
    FONTS = ((1366, "Uni2-Terminus16"), (2560, "Uni2-Terminus24x12"), (1 << 30, "Uni2-Terminus32x16"))
    COLUMNS_MAX, ROWS_MAX = 256, 100
    loaded = {}

    def __init__(self, qmp):
        with tempfile.NamedTemporaryFile(suffix=".ppm") as f:
            qmp.call("screendump", filename=f.name)
            data = open(f.name, "rb").read()
        header = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
        self.width, self.height = int(header[1]), int(header[2])
        self.pixels = data[header.end():]

    def blank(self):
        return self.pixels == self.pixels[:3] * (len(self.pixels) // 3)

    def lines(self):
        """What is readable; unknown pictures in a cell are U+FFFD.  The background is the screen's commonest corner."""
        name = next(name for widest, name in self.FONTS if self.width <= widest)
        if name not in self.loaded:
            self.loaded[name] = Font(f"/usr/share/consolefonts/{name}.psf.gz")
        font, scale = self.loaded[name], 1
        while self.width // (font.width * scale) > self.COLUMNS_MAX or self.height // (font.height * scale) > self.ROWS_MAX:
            scale += 1
        width, height = font.width * scale, font.height * scale
        columns, rows = self.width // width, self.height // height
        left, upper = (self.width - columns * width) // 2, (self.height - rows * height) // 2
        background, known = self.pixels[-3:], {}

        def bits(piece):
            if piece not in known:
                pixels = (piece[i:i + 3] for i in range(0, len(piece), 3 * scale))
                known[piece] = int("".join("0" if pixel == background else "1" for pixel in pixels), 2)
            return known[piece]

        def character(x, y):
            at = ((upper + y * height) * self.width + left + x * width) * 3
            step, size = self.width * 3 * scale, width * 3
            picture = tuple(bits(self.pixels[i:i + size]) for i in range(at, at + step * font.height, step))
            return font.glyphs.get(picture, "\N{REPLACEMENT CHARACTER}")

        return ["".join(character(x, y) for x in range(columns)).rstrip() for y in range(rows)]
