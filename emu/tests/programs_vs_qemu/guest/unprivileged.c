/* Loads and stores with the rights of user mode (LDRT and its kin), from every
 * mode and to pages of every permission. */

#include "program.h"

#define PAGE 0x40203000u
#define MEMORY 0x02000000u
enum { XP = 1 << 23, SYSTEM = 1 << 8, ROM = 1 << 9, DOMAIN = 5 };

/* Prints the fault status or 0, and a digest of the address that was refused and of
 * what is left. */
static void one(const struct snippet *snippet, u32 mode, u32 value)
{
    struct frame frame = {
        .r = { PAGE + 0x120, 8, value, [12] = 12 },
        .pc = snippet->address & ~1,
        .cpsr = mode | OFF | (snippet->address & 1 ? THUMB : 0),
    };
    volatile u32 *memory = (volatile u32 *)(MEMORY + 0x120);

    memory[0] = 0x81828384;
    memory[1] = 0x91929394;
    run(&frame);
    u32 refused = outcome.vector == 0x10;
    u32 sum = digest(outcome.vector, refused ? outcome.dfar : 0);
    sum = digest(digest(sum, outcome.r[0]), outcome.r[2]);
    sum = digest(digest(sum, memory[0]), memory[1]);
    text(" ");
    digits(refused ? outcome.dfsr : 0, 3);
    text(".");
    digits(sum >> 16, 4);
}

static void all(const char *about, u32 descriptor)
{
    SECOND(0)[3] = descriptor;
    /* Twice: first each comes to a page that nothing is known of, then to one that is
     * known with all rights. */
    for (u32 turn = 0; turn != 2; turn++)
        for (const struct snippet *snippet = snippets; snippet != snippets_end; snippet++) {
            text(about);
            text(", ");
            digits(descriptor, 3);
            text(", ");
            text(snippet->name);
            text(snippet->address & 1 ? ", Thumb:" : ", ARM:");
            for (u32 mode = 0; mode != ARRAY(modes); mode++) {
                flush_tlb();
                if (turn) {
                    struct frame frame = { .r = { PAGE }, .cpsr = SYS | OFF };
                    frame.pc = snippets_end[-1].address;
                    run(&frame);
                }
                one(snippet, modes[mode], 0x21222324 + mode);
            }
            end();
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
