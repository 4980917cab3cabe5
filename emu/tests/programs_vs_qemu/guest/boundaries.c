/* Code that runs into a page that it may not be fetched from. */

#include "program.h"

#define PAGES 0x40200000u
#define MEMORY 0x02000000u
enum { XP = 1 << 23 };

static const u16 arm_code[] = { 0x0000, 0xe1a0, 0x0000, 0xe1a0, 0x0000, 0xe1a0, 0x0000, 0xef00 };
/* nop, nop, and wide: mov.w r1, #5 from v7 on, else bl to the next one */
static const u16 thumb_code[] = { 0x46c0, 0x46c0, 0x46c0,
#if V7
    0xf04f, 0x0105,
#else
    0xf000, 0xf800,
#endif
    0xdf00, 0xdf00, 0xdf00 };
#if V7
/* cmp r0, r0; ittt eq; mov.w r1, #5; mov.w r2, #6; moveq r3, #7 */
static const u16 if_then[] = { 0x4280, 0xbf02, 0xf04f, 0x0105, 0xf04f, 0x0206, 0x2307, 0xdf00 };
#endif

static void one(const char *name, const u16 *code, u32 halves, u32 before, u32 cpsr)
{
    u32 start = 0x1000 - 2 * before;
    struct frame frame = { .r = { 0, 1, 2, 3 }, .pc = PAGES + start, .cpsr = cpsr | OFF };

    for (u32 i = 0; i != halves; i++)
        *(volatile u16 *)(MEMORY + start + 2 * i) = code[i];
    sync_code();
    run(&frame);
    text(name);
    text(", ");
    text(mode_name(cpsr));
    field("halfwords before", before);
    text(": ");
    text(vector_name(outcome.vector));
    if (outcome.vector == 0x0c) {
        field("ifsr", outcome.ifsr & ~0xf0);
#if V7
        field("ifar", outcome.ifar);
#endif
    }
    field("lr", outcome.r[14]);
    field("spsr", outcome.spsr);
    field("r1", outcome.r[1]);
    field("r2", outcome.r[2]);
    field("r3", outcome.r[3]);
    end();
}

int main(void)
{
    /* Of the second page: nothing, privileged, never executed, and all may. */
    static const u32 second[] = { 0, V6 ? 0x12 : 0x552, V6 ? 0x33 : 0x552, V6 ? 0x32 : 0xff2 };

    map_program(SECTION_ALL);
    TABLE[MEMORY >> 20] = MEMORY | SECTION_PRIVILEGED;
    TABLE[PAGES >> 20] = (u32)SECOND(0) | (V7 ? 1 : 0x11);
    mmu_on(V6 && !V7 ? XP : 0);
    for (u32 kind = 0; kind != ARRAY(second); kind++) {
        SECOND(0)[0] = MEMORY | (V6 ? 0x32 : 0xff2);
        SECOND(0)[1] = second[kind] ? (MEMORY + 0x1000) | second[kind] : 0;
        flush_tlb();
        field("second page", kind);
        end();
        for (u32 user = 0; user != 2; user++) {
            u32 cpsr = user ? USR : SVC;

            for (u32 before = 0; before < 7; before += 2)
                one("ARM", arm_code, ARRAY(arm_code), before, cpsr);
            for (u32 before = 0; before != 7; before++)
                one("Thumb", thumb_code, ARRAY(thumb_code), before, cpsr | THUMB);
#if V7
            for (u32 before = 0; before != 8; before++)
                one("If-Then", if_then, ARRAY(if_then), before, cpsr | THUMB);
#endif
        }
    }
    return 0;
}
