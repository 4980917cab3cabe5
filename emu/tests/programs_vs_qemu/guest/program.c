/* Text on the UART, page tables: what programs share. */

#include "program.h"

#define UART ((volatile u32 *)0x101f1000)
#define SCTLR_M 1u

const u32 modes[7] = { USR, FIQ, IRQ, SVC, ABT, UND, SYS };

void text(const char *text)
{
    while (*text)
        *UART = (u8)*text++;
}

void digits(u32 value, u32 count)
{
    while (count--)
        *UART = "0123456789abcdef"[value >> 4 * count & 15];
}

void hex(u32 value)
{
    digits(value, 8);
}

void number(u32 value)
{
    u32 power = 1000000000;
    u32 started = 0;

    for (; power; power = power * 0x1999999aull >> 32) {
        u32 digit = 0;
        for (; value >= power; value -= power)
            digit++;
        started |= digit | (power == 1);
        if (started)
            *UART = '0' + digit;
    }
}

void field(const char *name, u32 value)
{
    text(" ");
    text(name);
    text("=");
    hex(value);
}

void end(void)
{
    text("\n");
}

const char *mode_name(u32 cpsr)
{
    switch (cpsr & 0x1f) {
    case USR: return "usr";
    case FIQ: return "fiq";
    case IRQ: return "irq";
    case SVC: return "svc";
    case ABT: return "abt";
    case UND: return "und";
    case SYS: return "sys";
    default: return "?";
    }
}

const char *vector_name(u32 vector)
{
    switch (vector) {
    case 0x04: return "undefined";
    case 0x08: return "supervisor";
    case 0x0c: return "prefetch";
    case 0x10: return "data";
    case 0x18: return "interrupt";
    case 0x1c: return "fast";
    default: return "?";
    }
}

void barrier(void)
{
#if V7
    __asm__ volatile("dsb\n\tisb" : : : "memory");
#else
    CP15_WRITE(0, c7, c10, 4, 0);
#endif
}

void flush_tlb(void)
{
    barrier();
    CP15_WRITE(0, c8, c7, 0, 0);
    barrier();
}

void sync_code(void)
{
    barrier();
    CP15_WRITE(0, c7, c5, 0, 0);
    barrier();
}

void map_program(u32 section)
{
    for (u32 i = 0; i != 4096; i++)
        TABLE[i] = 0;
    TABLE[0] = section;
    TABLE[1] = 0x00100000 | SECTION_PRIVILEGED;
    TABLE[0x100] = 0x10000000 | SECTION_PRIVILEGED;
    TABLE[0x101] = 0x10100000 | SECTION_PRIVILEGED;
}

static u32 control;

void mmu_on(u32 sctlr)
{
    CP15_WRITE(0, c2, c0, 0, TABLE);
#if V6
    CP15_WRITE(0, c2, c0, 2, 0);
#endif
    DACR_WRITE(0x55555555);
    flush_tlb();
    control = SCTLR_READ() | sctlr | SCTLR_M;
    mmu_control(0);
}

void mmu_control(u32 sctlr)
{
    SCTLR_WRITE(control | sctlr);
    barrier();
}

void mmu_off(void)
{
    SCTLR_WRITE(SCTLR_READ() & ~SCTLR_M);
    flush_tlb();
}

/* Marsaglia's xorshift. */
u32 random_bits(void)
{
    static u32 state = 0x2545f491;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

u32 digest(u32 sum, u32 word)
{
    return ((sum << 5 | sum >> 27) ^ word) * 0x9e3779b1;
}

void *memset(void *to, int value, u32 size)
{
    for (volatile u8 *at = to; size--; at++)
        *at = value;
    return to;
}

void *memcpy(void *to, const void *from, u32 size)
{
    volatile u8 *at = to;

    for (const u8 *source = from; size--; )
        *at++ = *source++;
    return to;
}
