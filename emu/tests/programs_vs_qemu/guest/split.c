/* Two tables: which addresses TTBCR gives to TTBR1, and which it closes. */

#include "program.h"
#include "access.h"

/* The second table; the first one is at TABLE and behind it, smaller and smaller. */
#define UPPER ((volatile u32 *)0x00120000)
#define LOWER 0x00130000u

enum { PD0 = 1 << 4, PD1 = 1 << 5, XP = 1 << 23 };

static void split(u32 n, u32 closed)
{
    u32 size = 0x4000 >> n;
    /* Aligned to its size and no more; bits below are attributes. */
    u32 lower = LOWER + (n ? size : 0);
    u32 boundary = n ? 0x80000000 >> (n - 1) : 0;
    u32 addresses[] = { 0x00800124, boundary - 0x100000 + 0x124, boundary + 0x800124,
                        0xfff00124 };

    map_program(SECTION_ALL);
    for (u32 i = 0; i != 4096; i++) {
        UPPER[i] = TABLE[i] ? TABLE[i] : TARGET + 0x100000 + SECTION_ALL;
        if (i < size / 4)
            ((volatile u32 *)lower)[i] = TABLE[i] ? TABLE[i] : TARGET + SECTION_ALL;
    }
    CP15_WRITE(0, c2, c0, 1, (u32)UPPER | 0x8);
    mmu_on(V7 ? 0 : XP);
    /* By way of the table at TABLE, which has the program alone. */
    CP15_WRITE(0, c2, c0, 2, n | closed);
    CP15_WRITE(0, c2, c0, 0, lower | 0x8);
    flush_tlb();
    for (u32 i = 0; i != ARRAY(addresses); i++) {
        u32 address = addresses[i];

        if (TABLE[address >> 20])
            continue;
        text("N=");
        digits(n, 1);
        text(closed & PD0 ? " PD0" : "");
        text(closed & PD1 ? " PD1" : "");
        field("address", address);
        text(":");
        attempt(READ, SYS, address + 4);
        show_attempt(address + 4);
        field("found", outcome.r[1]);
        attempt(WRITE, USR, address);
        show_attempt(address);
        attempt(FETCH, USR, address);
        show_attempt(address);
        end();
    }
    text("read back:");
    field("ttbcr", CP15_READ(0, c2, c0, 2));
    field("ttbr0", CP15_READ(0, c2, c0, 0));
    field("ttbr1", CP15_READ(0, c2, c0, 1));
    end();
    CP15_WRITE(0, c2, c0, 2, 0);
    CP15_WRITE(0, c2, c0, 0, TABLE);
    flush_tlb();
    mmu_off();
}

int main(void)
{
    fill_target(0x100000);
    for (u32 at = 0; at != 0x100000; at += 4)
        *(volatile u32 *)(TARGET + 0x100000 + at) = at & 4 ? SVC_WORD : 0x11;
    sync_code();
    for (u32 n = 0; n != 8; n++) {
        split(n, 0);
        /* The chips are above the boundary from 4 on. */
        if (n < 4)
            split(n, PD1);
    }
    return 0;
}
