"""Boot scenarios: what scripts/test-boot and scripts/test run.

A scenario is a text file tests/boot/<name>.boot, one `key = value` a line, `#` comments.  Keys that may be repeated: expect,
forbid, screen, type, file, config.

    what      one sentence
    machine   keys of scripts/qemu.py: board, memory, cpu, smp, nodes, bare, distances, srat, slit, disk, video, firmware, serial,
              rng, devices; each its own line
    config    KEY VALUE: a key of boot.cfg
    cmdline   the kernel's command line (default: test=all)
    file      PATH RECIPE [ARGUMENT]: a change to the partition: remove; copy OTHER; text ARGUMENT; garbage SIZE; long SIZE (one line);
              elf RECIPE (of scripts/corrupt-elf)
    shim      QUIRK, QUIRK=VALUE ...: firmware bugs that tests/firmware plays to the loader; each must have been played, nothing
              must be called that may not be, and the kernel's map must be what the shim says that it has to be
    end       prompt    (default) the tests pass, the prompt comes, `poweroff` ends the machine
              pass      the kernel ends the machine itself and says that all tests passed (test.exit)
              fail      the kernel ends the machine itself and says that tests failed
              text      the run is over when everything expected has been seen; see status
              returns   the loader gives up: back in the firmware (the shim), with a status, and nothing left allocated
    status    for text: QEMU then ends with this exit status (0 reset or power off, 1 passed, 3 failed), or is still `running`
    expect    regular expression that a line of the serial log has to match
    forbid    regular expression that no line may match
    screen    regular expression that a line on the screen has to match
    type      a line typed at the prompt; what it prints can be expected.  With ^C at its end: and Ctrl-C at once behind it
    model     SEED INVARIANT: the command line is the one that the model test of the host prints when it has failed, with that
              seed and that invariant damaged on purpose, and has shrunk its list of requests
    check     memory: walk the page tables from outside; pat: and read IA32_PAT; levels4, levels5: so many levels of tables;
              trace: the trace on the serial port, asked again on the host, has the same answers;
              model: the model test on the host says the same about the same machines, digests and failures included;
              screen: the prompt is on the screen; columns: no command typed prints a line of more than 80; wx-seen: the walk must find a page that is writable and executable;
              combining-seen: it must find 600 frames of RAM that are write-combining, by IA32_PAT too
    silence   seconds without output after which the machine counts as hanging
    timeout   seconds for everything
"""

import codecs
import functools
import os
import re
import select
import shutil
import subprocess
import tempfile
import threading
import time

import firmware
import qemu
import witness

DIRECTORY = os.path.join(qemu.ROOT, "tests/boot")
LOGS = os.path.join(qemu.BUILD, "boot-logs")
PROMPT = "cairn> "
MANY = {"expect", "forbid", "screen", "type", "file", "config"}
ONE = {"what", "cmdline", "model", "shim", "end", "status", "check", "silence", "timeout"} | set(qemu.DEFAULTS)
ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")
WIPED = re.compile(r"\r\x1b\[K")  # Progress is drawn over itself: a line each, here.
CUT = re.compile(r"\r?\x1b(\[[0-9;?=]*|[()])?$|\r$")
STATUS = {"pass": 1, "fail": 3}  # isa-debug-exit: 2n + 1.


class Scenario:
    def __init__(self, path):
        self.name = os.path.basename(path)[:-len(".boot")]
        self.values = {key: [] for key in MANY}
        with open(path) as f:
            for number, line in enumerate(f, 1):
                line = line.rstrip("\n")
                if not line.strip() or line.startswith("#"):
                    continue
                key, _, value = (part.strip() for part in line.partition("="))
                if key in MANY:
                    self.values[key].append(value)
                elif key in ONE:
                    self.values[key] = value
                else:
                    raise SystemExit(f"{path}:{number}: unknown key '{key}'")
        self.end = self.values.get("end", "prompt")
        self.machine = {key: self.values[key] for key in qemu.DEFAULTS if key in self.values}
        self.checks = self.values.get("check", "").split()
        self.quirks = [q.strip() for q in self.values.get("shim", "").split(",") if q.strip()]

    def get(self, key, otherwise):
        return self.values.get(key, otherwise)

    def expected(self):
        """(what has to appear, what must not), with what every scenario of its kind promises."""
        expect, forbid = list(self.values["expect"]), list(self.values["forbid"])
        if self.end in ("prompt", "pass") and self.has_serial():
            if "test=" in self.command_line():
                expect.append(r"^\[T\] SUMMARY .*fail=0 .*ledger=ok")
            forbid += [r"^\[T\] \S+ FAIL", r"PANIC"]
        if self.end == "fail":
            expect.append(r"^\[T\] SUMMARY .*fail=[1-9]")
        if self.quirks:
            firmware.add_promises(self.quirks, self.end, expect, forbid)
        return expect, forbid

    def command_line(self):
        line = self.get("cmdline", "test=all")
        if "model" in self.values and "cmdline" not in self.values:
            seed, invariant = self.values["model"].split()
            line = self.values["cmdline"] = shortest_model(seed, invariant)
        return line + " test.exit" if self.end in STATUS and "test.exit" not in line else line

    def has_serial(self):
        return self.machine.get("serial", "yes") == "yes"

    def prepare(self, image):
        """Makes the partition of this scenario."""
        settings = {"cmdline": self.command_line()}
        for item in self.values["config"]:
            key, _, value = item.partition(" ")
            settings[key] = value.strip()
        qemu.write_file(image, "boot.cfg", qemu.configured(image, settings))
        for item in self.values["file"]:
            path, recipe, argument = (item.split(None, 2) + ["", ""])[:3]
            qemu.write_file(image, path, self.content(image, path, recipe, argument))
        if self.quirks:
            firmware.put_shim(image, self.quirks)

    def content(self, image, path, recipe, argument):
        if recipe == "remove":
            return None
        if recipe == "text":
            return argument.encode().decode("unicode_escape").encode("latin-1")
        if recipe == "append":
            return qemu.read_file(image, path) + argument.encode().decode("unicode_escape").encode("latin-1")
        if recipe == "garbage":
            # The same bytes every time: a generator of no quality, all byte values.
            state, out = 1, bytearray()
            for _ in range(int(argument)):
                state = (state * 1103515245 + 12345) & 0x7FFFFFFF
                out.append(state >> 16 & 0xFF)
            return bytes(out)
        if recipe == "long":
            return b"cmdline = " + b"x" * int(argument) + b"\n"
        if recipe == "copy":
            return qemu.read_file(image, argument)
        if recipe == "elf":
            with tempfile.TemporaryDirectory() as d:
                good, bad = os.path.join(d, "good"), os.path.join(d, "bad")
                with open(good, "wb") as f:
                    f.write(qemu.read_file(image, path))
                subprocess.run([os.path.join(qemu.ROOT, "scripts/corrupt-elf"), argument, good, bad], check=True)
                with open(bad, "rb") as f:
                    return f.read()
        raise SystemExit(f"{self.name}: unknown recipe '{recipe}'")


class Failure(Exception):
    pass


LIVE = set()  # QEMU processes, so that none outlives an interrupted run.


def stop_all(number, frame):
    for process in list(LIVE):
        process.kill()
    os._exit(128 + number)


class Boot:
    """One run of a scenario."""

    def __init__(self, scenario, accel="tcg", verbose=False):
        self.s, self.accel, self.verbose = scenario, accel, verbose
        self.log_path = os.path.join(LOGS, scenario.name + ".log")
        self.text, self.pending = "", ""
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.result = {"name": scenario.name, "problems": [], "bases": {}, "log": self.log_path, "seconds": 0}
        self.silence = float(scenario.get("silence", 180))  # A loaded machine is slow; only a hang waits as long.

    def run(self):
        started = time.monotonic()
        self.deadline = started + float(self.s.get("timeout", 600))
        os.makedirs(LOGS, exist_ok=True)
        scratch = tempfile.mkdtemp(prefix="cairn-boot-")
        try:
            with open(self.log_path, "w") as self.log:
                image = qemu.scratch_copy(qemu.IMAGE, scratch)
                self.s.prepare(image)
                self.boot(image, scratch)
        except Failure as failure:
            self.result["problems"].append(str(failure))
        except Exception as error:  # One scenario's trouble is not the others'.
            self.result["problems"].append(f"{type(error).__name__}: {error}")
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        self.result["seconds"] = time.monotonic() - started
        return self.result

    def boot(self, image, scratch):
        control = os.path.join(scratch, "qmp")
        line = qemu.command(self.s.machine, image, serial="stdio", accel=self.accel,
                            extra=["-no-reboot", "-qmp", f"unix:{control},server=on,wait=off"])
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        LIVE.add(self.process)
        try:
            self.qmp = qemu.Qmp(control, process=self.process)
            self.follow()
            self.judge()
            self.qmp.close()
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            LIVE.discard(self.process)
            errors = self.process.stderr.read().decode(errors="replace")
            if errors.strip():
                self.log.write(f"\n[QEMU] {errors}")
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                pipe.close()

    # --- reading ------------------------------------------------------------------------------------------------------

    def read(self, seconds):
        """Takes what the serial port says within a time; False when it says nothing."""
        if not self.s.has_serial():
            time.sleep(seconds)
            return False
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return False
        data = os.read(self.process.stdout.fileno(), 65536)
        if not data:
            time.sleep(0.05)
            return False
        # A piece may end within a character or an escape sequence; that end waits for the next piece.
        self.pending += self.decoder.decode(data)
        end = CUT.search(self.pending)
        cut = end.start() if end else len(self.pending)
        text, self.pending = ESCAPES.sub("", WIPED.sub("\n", self.pending[:cut])), self.pending[cut:]
        self.log.write(text)
        self.log.flush()
        if self.verbose:
            print(text, end="", flush=True)
        self.text += text
        return True

    def wait_until(self, what, condition):
        """Reads until the condition holds; a machine that is silent for too long hangs."""
        heard = time.monotonic()
        while not condition():
            now = time.monotonic()
            if self.read(0.2):
                heard = now
            elif self.process.poll() is not None:
                while self.read(0):
                    pass
                if condition():
                    return
                raise Failure(f"QEMU ended (status {self.process.returncode}) while waiting for {what}")
            if self.s.has_serial() and now - heard > self.silence:
                raise Failure(f"hang: no output for {self.silence:.0f} s while waiting for {what}")
            if now > self.deadline:
                raise Failure(f"timeout while waiting for {what}")

    def seen(self, pattern):
        return re.search(pattern, self.text, re.M) is not None

    def screen_shows(self, pattern):
        time.sleep(0.3)
        lines = witness.Screen(self.qmp).lines()
        self.result["screen"] = lines
        return any(re.search(pattern, line) for line in lines)

    # --- the phases ---------------------------------------------------------------------------------------------------

    def follow(self):
        end, serial = self.s.end, self.s.has_serial()
        expect, _ = self.s.expected()
        if end in ("text", "returns"):
            for pattern in expect:
                self.wait_until(f"/{pattern}/", lambda: self.seen(pattern))
            self.look_from_outside()
            self.end_with(self.s.get("status", None))
            return
        if end in STATUS:
            self.end_with(str(STATUS[end]))
            return
        if serial:
            self.wait_until("the prompt", lambda: PROMPT in self.text)
        else:
            self.wait_until("the prompt on the screen", lambda: self.screen_shows(re.escape(PROMPT.strip())))
        self.look_from_outside()
        for line in self.s.values["type"]:
            before = self.text.count(PROMPT)
            self.send(line)
            if serial:
                self.wait_until(f"the prompt after '{line}'", lambda: self.text.count(PROMPT) > before)
        for pattern in self.s.values["screen"]:
            self.wait_until(f"/{pattern}/ on the screen", lambda: self.screen_shows(pattern))
        self.send("poweroff")
        self.end_with("0")

    def end_with(self, status):
        """Waits for QEMU's end and asks for its exit status; `running`: for two seconds it must not end."""
        if status is None:
            self.read(0.5)
        elif status == "running":
            until = time.monotonic() + 2
            while time.monotonic() < until:
                self.read(0.2)
            if self.process.poll() is not None:
                raise Failure("QEMU has ended, the machine should be waiting")
        else:
            self.wait_until("the end", lambda: self.process.poll() is not None)
            while self.read(0):
                pass
            if self.process.returncode != int(status):
                raise Failure(f"QEMU's exit status is {self.process.returncode}, not {status}")

    def send(self, line):
        """Types a line: on the serial port, or without one on the PS/2 keyboard."""
        if self.s.has_serial():
            keys = line.encode() + b"\r"
            if line.endswith("^C"):
                keys = line[:-2].strip().encode() + b"\r\x03"
            self.process.stdin.write(keys)
            self.process.stdin.flush()
            return
        names = {" ": "spc", ".": "dot", "-": "minus", "=": "equal", ",": "comma", "/": "slash"}
        for character in line:
            self.qmp.monitor(f"sendkey {names.get(character, character)}")
            time.sleep(0.15)
        self.qmp.monitor("sendkey ret")

    def cpus(self):
        """How many CPUs run on the kernel's tables, or sleep on them because they came late; nothing is said of one alone."""
        m = re.search(r"smp: (\d+) of \d+ CPUs up", self.text)
        return int(m[1]) + self.text.count("it is given up") if m else 1

    def look_from_outside(self):
        if "wx-seen" in self.s.checks:
            problems = witness.problems_of_memory(self.qmp, self.result, cpus=self.cpus())
            if not any("writable and executable" in p for p in problems):
                self.result["problems"].append("the walk did not find the page that is writable and executable")
        if "combining-seen" in self.s.checks:
            problems = witness.problems_of_memory(self.qmp, self.result, pat=True, cpus=self.cpus())
            self.result["problems"] += [p for p in problems if "not write-back" not in p]
            if self.result["combining"] != 600 * 4096:
                self.result["problems"].append(f"{self.result['combining']} bytes of RAM are write-combining, not 600 frames")
        if "memory" in self.s.checks or "pat" in self.s.checks:
            self.result["problems"] += witness.problems_of_memory(self.qmp, self.result, pat="pat" in self.s.checks,
                                                                         cpus=self.cpus())
            for levels in (4, 5):
                if f"levels{levels}" in self.s.checks and self.result["levels"] != levels:
                    self.result["problems"].append(f"{self.result['levels']} levels of page tables, not {levels}")
        if "screen" in self.s.checks:
            self.wait_until("the prompt on the screen", lambda: self.screen_shows(re.escape(PROMPT.strip())))

    def judge(self):
        if digest := re.search(r"^\[T\] K2 .*\blayout=([0-9a-f]+)", self.text, re.M):
            self.result["layout"] = digest[1]
        expect, forbid = self.s.expected()
        for pattern in expect:
            if not self.seen(pattern):
                self.result["problems"].append(f"not seen: /{pattern}/")
        for pattern in forbid:
            if m := re.search(f".*(?:{pattern}).*", self.text, re.M):
                self.result["problems"].append(f"forbidden: {m.group(0).strip()[:120]}")
        if self.s.quirks:
            self.result["problems"] += firmware.problems_of_map(self.text)
        if "columns" in self.s.checks:
            # Not the log's lines, nor those of tests: they are for scripts too.
            wide = [l for l in self.text.partition(PROMPT)[2].split("\n") if len(l) > 80 and not l.startswith("[")]
            self.result["problems"] += [f"{len(l)} columns: {l[:60]} ..." for l in wide[:3]]
        if "trace" in self.s.checks:
            self.result["problems"] += problems_of_trace(self.text)
        if "model" in self.s.checks:
            self.result["problems"] += problems_of_model(self.text, self.s.command_line())


tools_lock = threading.Lock()  # Scenarios run side by side; a tool is linked by one of them, before another runs it.


@functools.cache
def built_tool(name):
    program = os.path.join(qemu.BUILD, "host/tests/tools", name)
    subprocess.run(["make", "-s", "--no-print-directory", "-C", qemu.ROOT, f"BUILD={qemu.BUILD}", program], check=True,
                   capture_output=True)
    return program


def host_tool(name):
    with tools_lock:
        return built_tool(name)


def lines_of_model(words):
    """What the model test on the host says."""
    done = subprocess.run([host_tool("model"), *words], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise Failure(f"tools/model {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.splitlines()


def shortest_model(seed, invariant):
    lines = [m[1] for line in lines_of_model([seed, "-b", invariant]) if (m := re.fullmatch(r"again: make run CMDLINE='(.*)'", line))]
    if not lines or "model.keep=" not in lines[-1]:
        raise Failure(f"model {seed} {invariant}: nothing was shrunk")
    return lines[-1]


def problems_of_model(log, command_line):
    """The model test says the same on both sides, line for line."""
    def values(name):
        return re.findall(rf"(?:^|\s)model{re.escape(name)}=(\S+)", command_line)
    words = (values("") or ["1"])[-1:]
    for option, found in (("-n", values(".seeds")[-1:]), ("-b", values(".break")[-1:]), ("-k", [",".join(values(".keep"))])):
        words += [option, *found] if found and found[0] else []
    host = lines_of_model(words)
    kernel = re.findall(r"^\[T\] # (machine .*|again: .*|  frames .*|\d+: slot .*)$", log, re.M)
    for number, (there, here) in enumerate(zip(kernel, host), 1):
        if there != here:
            return [f"line {number}: the kernel says '{there}', the host '{here}'"]
    if len(kernel) != len(host) or not host:
        return [f"the kernel says {len(kernel)} lines about its machines, the host {len(host)}"]
    return []


def problems_of_trace(log):
    """What scripts/trace and the replay on the host find wrong with the trace in a serial log."""
    program = host_tool("replay")
    with tempfile.NamedTemporaryFile("w", suffix=".trace") as f:
        for line in ([os.path.join(qemu.ROOT, "scripts/trace"), "-o", f.name], [program, "-x", f.name]):
            done = subprocess.run(line, input=log, capture_output=True, text=True)
            if done.returncode != 0:
                return [(done.stdout + done.stderr).strip() or f"{line[0]} ended with {done.returncode}"]
    return []


def scenarios(words=()):
    """The scenarios whose names contain one of the words, all without words; slow ones first, for an even finish."""
    found = [Scenario(os.path.join(DIRECTORY, f)) for f in sorted(os.listdir(DIRECTORY)) if f.endswith(".boot")]
    return [s for s in found if not words or any(w in s.name for w in words)]


def distinct_bases(results, wanted=16):
    """Whether the first `wanted` random boots all drew different bases: (ok, sentence)."""
    drawn = [r for r in results if len(r["bases"]) >= 3 and not r.get("fixed")][:wanted]
    if len(drawn) < wanted:
        return False, f"only {len(drawn)} boots with random bases, {wanted} are wanted"
    digests = [r["layout"] for r in results if r.get("layout") and not r.get("fixed")]
    if len(set(digests)) != len(digests):
        return False, f"two of {len(digests)} boots have the same layout by the kernel's own digest"
    for window in ("image", "direct map", "stack"):
        if len({r["bases"][window] for r in drawn}) != wanted:
            return False, f"two of {wanted} boots have the same base of the {window}"
    return True, f"{wanted} boots, all bases of image, direct map and stacks distinct; {len(digests)} digests too"
