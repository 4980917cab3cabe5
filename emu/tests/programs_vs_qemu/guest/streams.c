/* Runs pieces of random code, each with random registers and memory, and prints a
 * check sum of all that it leaves. The host makes the pieces (streams.rs). */

#include "program.h"
#include "pieces.h"

#define MEMORY ((volatile u32 *)0x00180000)
enum { WORDS = 192, DOUBLES = V7 ? 32 : 16 };

static u64 doubles[32];
static u32 fpscr;

static u32 interesting(void)
{
    static const u32 words[] = {
        0, 1, 2, 31, 32, 33, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
        0x80000001, 0xffffffff, 0xfffffffe, 0x00ff00ff, 0x7f80ff01, 0x3f800000, 0x7f800000,
        0xff800000, 0x7fc00000, 0x7f800001, 0x00000001, 0x807fffff, 0x4f000000, 0xcf000000,
        0x3ff00000, 0x7ff00000, 0xfff80000, 0x41dfffff, 0xc1e00000,
    };
    u32 bits = random_bits();

    return bits & 0x300 ? random_bits() : words[(bits >> 3) % ARRAY(words)];
}

static void run_one(const struct piece *piece, u32 thumb, int vectors)
{
    struct frame frame = {
        .pc = (u32)piece,
        .cpsr = USR | OFF | thumb | (random_bits() & (V6 ? 0xf80f0000 : 0xf8000000)),
        .sp = (u32)(MEMORY + 96),
        .lr = interesting(),
    };

    for (u32 i = 0; i != 13; i++)
        frame.r[i] = interesting();
    frame.r[10] = (u32)(MEMORY + 96);
    frame.r[11] = random_bits() & 0x3c;
    for (u32 i = 0; i != WORDS; i++)
        MEMORY[i] = 0x9e3779b1 * i;
    if (vectors) {
        for (u32 i = 0; i != 2 * DOUBLES; i++)
            ((u32 *)doubles)[i] = interesting();
        /* Rounding, and now and then default NaNs and flushing to zero. */
        fpscr = random_bits() & 0x00c00000;
        if ((random_bits() & 0x70) == 0)
            fpscr |= random_bits() & 0x03000000;
        vector_load(doubles, fpscr);
    }
    run(&frame);
    sum_start();
    add(outcome.vector);
    add(outcome.spsr);
    add(outcome.vector == 0x08 ? 0 : outcome.r[14] - frame.pc);
    for (u32 i = 0; i != 13; i++)
        add(outcome.r[i]);
    add(outcome.own[5]);
    add(outcome.own[6]);
    for (u32 i = 0; i != WORDS; i++)
        add(MEMORY[i]);
    if (vectors) {
        add(vector_store(doubles));
        for (u32 i = 0; i != 2 * DOUBLES; i++)
            add(((u32 *)doubles)[i]);
    }
}

int main(void)
{
    vector_on();
    all(run_one);
    return 0;
}
