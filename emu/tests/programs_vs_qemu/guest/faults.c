/* Single random loads and stores (streams/refused.rs) in user mode around the ends of
 * pages, half of which may not be used: what the abort says, and what is left. */

#include "program.h"
#include "pieces.h"

/* Pages by turns for everybody, nobody, reading, and privileged modes. */
#define PAGES 0x50000000u
#define MEMORY 0x02000000u
enum { NUMBER = 16, XP = 1 << 23 };

static u64 given[32], doubles[32];
static u32 ran;

static u32 address(void)
{
    u32 bits = random_bits();
    u32 page = PAGES + (bits >> 8 & (NUMBER - 1)) * 0x1000;

    /* Around an end, and aligned to 8. */
    return page + (bits & 1 ? 0x1000 : 0) + ((bits >> 1 & 15) << 3) - 64;
}

static void run_one(const struct piece *piece, u32 thumb, int vectors)
{
    struct frame frame = { .pc = (u32)piece, .cpsr = USR | OFF | thumb };

    for (u32 i = 0; i != 13; i++)
        frame.r[i] = address();
    /* Indices. */
    for (u32 i = 3; i != 7; i++)
        frame.r[i] = (random_bits() & 0x38) - (random_bits() & 0x38);
    frame.sp = address();
    frame.lr = address();
    if (vectors)
        vector_load(given, 0);
    outcome.dfsr = outcome.dfar = 0;
    run(&frame);
    ran++;
    sum_start();
    add(outcome.vector);
    if (outcome.vector == 0x10) {
        add(outcome.dfsr);
        add(outcome.dfar);
    }
    add(outcome.spsr);
    add(outcome.r[14] - frame.pc);
    for (u32 i = 0; i != 13; i++)
        add(outcome.r[i]);
    add(outcome.own[5]);
    add(outcome.own[6]);
    /* Memory is left as it is, and looked at now and then. */
    for (u32 i = 0; ran % 32 == 0 && i != NUMBER * 0x1000; i += 4)
        if ((i & 0xfff) < 0x100 || (i & 0xfff) >= 0xf00)
            add(*(volatile u32 *)(MEMORY + i));
    if (!vectors)
        return;
    vector_store(doubles);
    for (u32 i = 0; i != (V7 ? 32 : 16); i++) {
        add(doubles[i]);
        add(doubles[i] >> 32);
    }
}

int main(void)
{
    static const u32 rights[] = { 3, 0, 2, 1 };

    for (u32 i = 0; i != ARRAY(given); i++)
        given[i] = i * 0x0123456789abcdefull;
    vector_on();
    /* The program can be read and run, its memory is not for user mode. */
    map_program(0x802);
    TABLE[MEMORY >> 20] = MEMORY | SECTION_PRIVILEGED;
    TABLE[PAGES >> 20] = (u32)SECOND(0) | (V7 ? 1 : 0x11);
    for (u32 i = 0; i != NUMBER; i++)
        SECOND(0)[i] = i % 4 == 1 ? 0 :
            (MEMORY + 0x1000 * i) | (V6 ? rights[i % 4] << 4 : rights[i % 4] * 0x550) | 2;
    for (u32 i = 0; i != NUMBER * 0x1000; i += 4)
        *(volatile u32 *)(MEMORY + i) = 0x9e3779b1 * i;
    mmu_on(V6 && !V7 ? XP : 0);
    all(run_one);
    return 0;
}
