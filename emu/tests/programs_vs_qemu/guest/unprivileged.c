/* Loads and stores with the rights of user mode (LDRT and its kin), from every
 * mode and to pages of every permission. */

#include "program.h"

#define PAGE 0x40203000u
#define MEMORY 0x02000000u
enum { XP = 1 << 23, SYSTEM = 1 << 8, ROM = 1 << 9, DOMAIN = 5 };

static void one(const struct snippet *snippet, u32 mode, u32 value)
{
    struct frame frame = {
        .r = { PAGE + 0x120, 8, value, [12] = 12 },
        .pc = snippet->address & ~1,
        .cpsr = mode | OFF | (snippet->address & 1 ? THUMB : 0),
    };

    run(&frame);
    text(snippet->name);
    text(snippet->address & 1 ? ", Thumb, " : ", ARM, ");
    text(mode_name(mode));
    text(": ");
    text(vector_name(outcome.vector));
    if (outcome.vector == 0x10) {
        field("dfsr", outcome.dfsr);
        field("dfar", outcome.dfar);
    }
    field("r0", outcome.r[0]);
    field("r2", outcome.r[2]);
    field("memory", *(volatile u32 *)(MEMORY + 0x120));
    field("next", *(volatile u32 *)(MEMORY + 0x124));
    end();
}

static void all(const char *about, u32 descriptor)
{
    text(about);
    field(": page", descriptor);
    end();
    SECOND(0)[3] = descriptor;
    flush_tlb();
    /* Twice, so that each comes after a page is known with all rights and before. */
    for (u32 turn = 0; turn != 2; turn++)
        for (u32 mode = 0; mode != ARRAY(modes); mode++)
            for (const struct snippet *snippet = snippets; snippet != snippets_end; snippet++) {
                *(volatile u32 *)(MEMORY + 0x120) = 0x81828384;
                *(volatile u32 *)(MEMORY + 0x124) = 0x91929394;
                if (turn == 0)
                    flush_tlb();
                one(snippet, modes[mode], 0x21222324 + mode);
            }
}

int main(void)
{
    map_program(SECTION_ALL);
    TABLE[0x020] = MEMORY | SECTION_PRIVILEGED;
    TABLE[0x402] = (u32)SECOND(0) | DOMAIN << 5 | (V7 ? 1 : 0x11);
    mmu_on(0);
    if (!V7) {
        for (u32 ap = 0; ap != 4; ap++)
            all("client", MEMORY | ap * 0x550 | 2);
        mmu_control(SYSTEM);
        all("client, S", MEMORY | 2);
        mmu_control(ROM);
        all("client, R", MEMORY | 2);
        mmu_control(0);
        DACR_WRITE(1 | 3 << 2 * DOMAIN);
        all("manager", MEMORY | 2);
    }
    if (V6) {
        mmu_control(XP);
        DACR_WRITE(0x55555555);
        for (u32 ap = 0; ap != 8; ap++)
            all("client, new", MEMORY | (ap & 4) << 7 | (ap & 3) << 4 | 2);
        DACR_WRITE(1 | 3 << 2 * DOMAIN);
        all("manager, new", MEMORY | 2);
    }
    return 0;
}
