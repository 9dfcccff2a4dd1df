"""gdb commands for Cairn's kernel; loaded by make gdb.

  cairn-handoff   the handoff block, from RDI at the kernel's first instruction
  cairn-windows   the windows of the address space as the loader drew them
"""

import gdb

WINDOWS = ["image", "direct map", "frame records", "kernel windows", "stacks", "per-CPU", "framebuffer", "handoff"]


class Handoff(gdb.Command):
    """Print struct boot_handoff; its address is RDI at the kernel's first instruction, or the argument."""

    address = None

    def __init__(self):
        super().__init__("cairn-handoff", gdb.COMMAND_DATA)

    @classmethod
    def find(cls, argument=""):
        if argument:
            cls.address = int(gdb.parse_and_eval(argument))
        if cls.address is None:
            cls.address = int(gdb.parse_and_eval("(unsigned long)$rdi"))
        return gdb.parse_and_eval(f"(const struct boot_handoff *){cls.address:#x}").dereference()

    def invoke(self, argument, from_tty):
        print(self.find(argument).format_string(format="x", max_elements=64))


class Windows(gdb.Command):
    """Print the windows of the kernel's address space."""

    def __init__(self):
        super().__init__("cairn-windows", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        windows = Handoff.find(argument)["windows"]
        for i, name in enumerate(WINDOWS):
            base, size = int(windows[i]["base"]), int(windows[i]["size"])
            print(f"{base:#018x} {base + size:#018x}  {name}")


Handoff()
Windows()
