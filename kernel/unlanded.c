/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/unlanded.c - weak stand-ins so that the kernel links while rooms are being built; each goes when its room lands. */
#include "arch/cpu.h"
#include "arch/port.h"
#include "kernel/console.h"
#include "kernel/fbconsole.h"
#include "kernel/keyboard.h"
#include "kernel/klog.h"
#include "kernel/options.h"
#include "kernel/panic.h"
#include "kernel/power.h"
#include "kernel/serial.h"
#include "kernel/shell.h"
#include "lib/format.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/early.h"
#include "mm/ledger.h"
#include "mm/pmm.h"
#pragma clang diagnostic ignored "-Weverything"
// clang-format off
static void out(void*c,const char*b,size_t n){for(size_t i=0;i<n;i++){arch_port_write8(0x3f8,(uint8_t)b[i]);}}
[[gnu::weak]] void klog(enum klog_level l,const char*r,const char*f,...){va_list a;va_start(a,f);out(0,r,strlen(r));out(0,": ",2);format_to_sink(out,0,f,a);out(0,"\n",1);}
[[gnu::weak]] bool klog_read(uint64_t f,struct klog_record*r){return false;}
[[gnu::weak]] bool klog_addresses_allowed(void){return false;}
[[gnu::weak]] void console_printf(const char*f,...){va_list a;va_start(a,f);format_to_sink(out,0,f,a);}
[[gnu::weak]] void console_vprintf(const char*f,va_list a){format_to_sink(out,0,f,a);}
[[gnu::weak]] void console_enter_panic(void){}
static volatile int ticks;
[[gnu::weak]] void console_tick(void){ticks++;}
[[gnu::weak]] bool serial_init(void){return true;}
[[gnu::weak]] bool keyboard_init(void){return true;}
[[gnu::weak]] bool fbconsole_init(const struct boot_framebuffer*f,void*m){klog(0,"fb","%ux%u",f->width,f->height);return true;}
[[gnu::weak]] void shell_run(void){ klog(0,"shell","hello"); for(int i=0;i<3000;i++)arch_cpu_idle(); klog(0,"shell","ticks %d",ticks); power_exit(0);}
static uint64_t lo,hi;
static struct early*E;
[[gnu::weak]] void early_init(struct early*e,const struct boot_region*r,size_t n){uint64_t best=0;E=e;for(size_t i=0;i<n;i++)if(r[i].kind==0&&r[i].end-r[i].start>best){best=r[i].end-r[i].start;lo=r[i].start;hi=r[i].end;}}
[[gnu::weak]] status_t early_alloc(struct early*e,enum frame_owner o,uint64_t s,uint64_t a,paddr_t*out){s=(s+4095)&~4095ull;uint64_t x=(hi-s)&~(a-1);if(x<lo)return ERR_NO_MEMORY;hi=x;out->raw=x;return OK;}
[[gnu::weak]] uint64_t pmm_metadata_size(const struct boot_region*r,size_t n){return 65536;}
[[gnu::weak]] status_t pmm_create(void*m,void*rec,const struct boot_region*r,size_t n,const struct pmm_taken*t,size_t tn,struct pmm**out){*out=(void*)m; for(size_t i=0;i<n;i++) if(memmap_kind_is_ram(r[i].kind)) for(uint64_t f=r[i].start>>12;f<r[i].end>>12;f++){ uint64_t*p=(uint64_t*)rec+2*f; if(p[0]||p[1])panic("record %lx nonzero",f); p[0]=f;} return OK;}
[[gnu::weak]] status_t pmm_alloc_frame(struct pmm*p,enum frame_owner o,pfn_t*out){hi-=4096;out->raw=hi>>12;return OK;}
[[gnu::weak]] status_t pmm_free_frame(struct pmm*p,enum frame_owner o,pfn_t f){return OK;}
[[gnu::weak]] status_t pmm_alloc_run(struct pmm*p,enum frame_owner o,uint64_t c,const struct frame_limits*w,pfn_t*out){hi-=4096*c;out->raw=hi>>12;return OK;}
[[gnu::weak]] status_t pmm_mark_bad(struct pmm*p,pfn_t f){return OK;}
[[gnu::weak]] void ledger_read(const struct pmm*p,struct ledger*l){*l=(struct ledger){.total=1,.sum=1};}
[[gnu::weak]] bool ledger_balances(const struct ledger*l){return true;}
[[gnu::weak]] bool mm_check(const struct pmm*p,uint64_t l,struct mm_check_report*o){o->frames_checked=0;return true;}
[[gnu::weak]] void klog_set_level(enum klog_level l) {}
[[gnu::weak]] void klog_allow_addresses(void) {}
