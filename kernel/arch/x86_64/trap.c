/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/arch/x86_64/trap.c — the interrupt table and what each of its 256 vectors leads to.
 *
 * WHAT   Vectors 0-31 are exceptions (SDM 3A 6.15): each ends in the panic screen, unless a guarded call waits for it.
 *        0x40 is the timer; everything else is stray and forgotten, because a masked controller may still deliver
 *        what it had latched.
 * HOW    All gates are interrupt gates: interrupts stay off until iretq.  Double fault, NMI and machine check run on stacks
 *        of their own, since the current one may be what is broken.
 *        0x42 is another CPU that wants something.
 * LOCKING  None may be taken here: any instruction of the kernel may have been interrupted.
 */
#include "arch/trap.h"

#include "arch_impl/cpu.h"
#include "arch_impl/percpu.h"
#include "arch_impl/trap.h"
#include "base/compiler.h"
#include "kernel/panic.h"
#include "kernel/smp.h"
#include "lib/format.h"

#define GATE_INTERRUPT UINT64_C(0x8e)

/* Bits of a page fault's error code (SDM 3A 4.7). */
#define FAULT_PRESENT  1U
#define FAULT_WRITE    2U
#define FAULT_USER     4U
#define FAULT_RESERVED 8U
#define FAULT_FETCH    16U

struct gate {
  uint64_t low, high;
};

RO_AFTER_INIT static struct gate idt[256];

extern const char trap_doors[]; /* trap_entry.S: 16 bytes a vector. */
bool trap_guarded_call(void (*fn)(void *argument), void *argument, struct trap_recovery *r);

static const char *const exception_names[TRAP_EXCEPTIONS] = {
    "division error",
    "debug exception",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "no FPU",
    "double fault",
    "coprocessor segment overrun",
    "invalid TSS",
    "segment not present",
    "stack segment fault",
    "general protection fault",
    "page fault",
    "exception 15",
    "x87 floating-point error",
    "alignment check",
    "machine check",
    "SIMD floating-point error",
    "virtualisation exception",
    "control protection exception",
    "exception 22",
    "exception 23",
    "exception 24",
    "exception 25",
    "exception 26",
    "exception 27",
    "hypervisor injection",
    "VMM communication exception",
    "security exception",
    "exception 31",
};

static void set_gate(unsigned vector, unsigned ist) {
  const uint64_t to = (uint64_t)(uintptr_t)trap_doors + UINT64_C(16) * vector;
  idt[vector].low =
      (to & 0xffff) | UINT64_C(0x08) << 16 | (uint64_t)ist << 32 | GATE_INTERRUPT << 40 | (to >> 16 & 0xffff) << 48;
  idt[vector].high = to >> 32;
}

void trap_init(void) {
  for (unsigned v = 0; v < ARRAY_COUNT(idt); v++) set_gate(v, 0);
  trap_load();
}

void trap_load(void) {
  const struct table_register idtr = {.limit = sizeof idt - 1, .base = (uint64_t)(uintptr_t)idt};
  __asm__ volatile("lidt %0" : : "m"(idtr.limit), "m"(idtr));
}

void trap_use_ist(void) {
  set_gate(TRAP_DOUBLE_FAULT, IST_DOUBLE_FAULT);
  set_gate(TRAP_NMI, IST_NMI);
  set_gate(TRAP_MACHINE, IST_MACHINE);
}

static bool can_recover(const struct trap_frame *f) {
  return f->vector != TRAP_DOUBLE_FAULT && f->vector != TRAP_NMI && f->vector != TRAP_MACHINE;
}

static void recover(struct trap_frame *f, struct trap_recovery *r) {
  const bool is_page_fault = f->vector == TRAP_PAGE_FAULT;
  *r->caught = (struct arch_trap_caught){
      .vector = (unsigned)f->vector,
      .error = f->error,
      .address = vaddr(is_page_fault ? cr2_read() : 0),
      .was_write = is_page_fault && (f->error & FAULT_WRITE),
      .was_execute = is_page_fault && (f->error & FAULT_FETCH),
      .was_mapped = is_page_fault && (f->error & FAULT_PRESENT),
  };
  f->rip = r->rip;
  f->rsp = r->rsp;
}

bool arch_trap_guarded(void (*fn)(void *argument), void *argument, struct arch_trap_caught *caught) {
  struct percpu *cpu = percpu_this();
  struct trap_recovery *const outer = cpu->recovery;
  struct trap_recovery r = {.caught = caught};
  cpu->recovery = &r;
  const bool returned = trap_guarded_call(fn, argument, &r);
  cpu->recovery = outer;
  return returned;
}

void arch_trap_forget_guarded(void) { percpu_this()->recovery = nullptr; }

static void handle(uint64_t vector) {
  if (vector == VECTOR_TIMER) {
    timer_interrupt();
    apic_end_of_interrupt();
  } else if (vector == VECTOR_SMP) {
    smp_interrupt();
    apic_end_of_interrupt();
  } else if (vector == VECTOR_APIC_ERROR) {
    /* The 8259s and the spurious vector want no acknowledgement (SDM 3A 10.9); an APIC error does. */
    apic_end_of_interrupt();
  }
}

void trap_dispatch(struct trap_frame *frame) {
  if (frame->vector < TRAP_EXCEPTIONS) {
    struct trap_recovery *r = percpu_this()->recovery;
    if (frame->vector == TRAP_NMI) smp_stop_if_asked();
    if (r && can_recover(frame)) {
      recover(frame, r);
      return;
    }
    panic_at(frame, "%s", arch_trap_name(frame));
  }
  const uint32_t slot = arch_handler_begin();
  handle(frame->vector);
  arch_handler_end(slot);
}

/* --- telling ---------------------------------------------------------------------------------------------------------- */

const char *arch_trap_name(const struct trap_frame *f) {
  return f->vector < TRAP_EXCEPTIONS ? exception_names[f->vector] : "interrupt";
}

/* A double fault has no address of its own, but what it could not push went to where CR2 points. */
bool arch_trap_fault_address(const struct trap_frame *f, vaddr_t *address) {
  if (f->vector != TRAP_PAGE_FAULT && f->vector != TRAP_DOUBLE_FAULT) return false;
  *address = vaddr(cr2_read());
  return true;
}

static void explain_page_fault(uint64_t error, char *to, size_t size) {
  const char *what = "read from";
  if (error & FAULT_WRITE) what = "write to";
  if (error & FAULT_FETCH) what = "execution of";
  const char *why = "a page that is not mapped";
  if (error & FAULT_PRESENT) why = error & FAULT_FETCH ? "a page that is not executable" : "a page that forbids it";
  if (error & FAULT_RESERVED) why = "a page whose table entry is broken";
  format_string(to, size, "%s %s%s", what, why, error & FAULT_USER ? ", in user mode" : "");
}

/* The first bank with something to say (SDM 3B 15.3.2). */
static void explain_machine_check(char *to, size_t size) {
  const unsigned banks = (unsigned)(msr_read(MSR_MCG_CAP) & 0xff);
  for (unsigned i = 0; i < banks; i++) {
    const uint64_t status = msr_read(MSR_MC0_STATUS + 4 * i);
    if (!(status >> 63)) continue;
    format_string(to, size, "bank %u status 0x%llx", i, (unsigned long long)status);
    return;
  }
  format_string(to, size, "no bank says why");
}

void arch_trap_explain(const struct trap_frame *f, char *to, size_t size) {
  to[0] = '\0';
  if (f->vector == TRAP_PAGE_FAULT) {
    explain_page_fault(f->error, to, size);
  } else if (f->vector == TRAP_MACHINE) {
    explain_machine_check(to, size);
  } else if (f->error != 0) {
    format_string(to, size, "error code 0x%llx: %s table, entry %llu", (unsigned long long)f->error,
                  f->error & 2 ? "interrupt" : "segment", (unsigned long long)(f->error >> 3 & 0x1fff));
  }
}

vaddr_t arch_trap_pc(const struct trap_frame *f) { return vaddr(f->rip); }
vaddr_t arch_trap_sp(const struct trap_frame *f) { return vaddr(f->rsp); }
vaddr_t arch_trap_fp(const struct trap_frame *f) { return vaddr(f->rbp); }

bool arch_trap_register(const struct trap_frame *f, size_t index, const char **name, uint64_t *value) {
  const struct {
    const char *name;
    uint64_t value;
  } list[] = {
      {"rip", f->rip}, {"rsp", f->rsp}, {"rbp", f->rbp},     {"rflags", f->rflags}, {"rax", f->rax},     {"rbx", f->rbx},
      {"rcx", f->rcx}, {"rdx", f->rdx}, {"rsi", f->rsi},     {"rdi", f->rdi},       {"r8", f->r8},       {"r9", f->r9},
      {"r10", f->r10}, {"r11", f->r11}, {"r12", f->r12},     {"r13", f->r13},       {"r14", f->r14},     {"r15", f->r15},
      {"cs", f->cs},   {"ss", f->ss},   {"cr0", cr0_read()}, {"cr2", cr2_read()},   {"cr3", cr3_read()}, {"cr4", cr4_read()},
  };
  if (index >= ARRAY_COUNT(list)) return false;
  *name = list[index].name;
  *value = list[index].value;
  return true;
}

/* --- provoking -------------------------------------------------------------------------------------------------------- */

void arch_trap_provoke(enum arch_trap_provoke how) {
  switch (how) {
  case ARCH_TRAP_PROVOKE_DIVIDE:
    __asm__ volatile("xorl %%edx, %%edx; xorl %%eax, %%eax; divl %%eax" : : : "eax", "edx", "cc");
    break;
  case ARCH_TRAP_PROVOKE_UNDEFINED:
    __asm__ volatile("ud2");
    break;
  case ARCH_TRAP_PROVOKE_PROTECTION:
    __asm__ volatile("movq (%0), %%rax" : : "r"(UINT64_C(0x8000000000000000)) : "rax");
    break;
  case ARCH_TRAP_PROVOKE_NMI:
    __asm__ volatile("movq %0, %%rsp; int $2" : : "r"(UINT64_C(0x800)) : "memory");
    break;
  case ARCH_TRAP_PROVOKE_MACHINE:
    __asm__ volatile("movq %0, %%rsp; int $18" : : "r"(UINT64_C(0x800)) : "memory");
    break;
  case ARCH_TRAP_PROVOKE_DOUBLE_FAULT: /* The fault cannot be pushed: its stack is the null page. */
    __asm__ volatile("movq %0, %%rsp; pushq $0" : : "r"(UINT64_C(0x800)) : "memory");
    break;
  }
}
