/* Every exception from every mode, in ARM and in Thumb code: what the handler
 * finds, and what it returns to. */

#include "program.h"

#define HOLE 0x07654320
#define VIC ((volatile u32 *)0x10140000)
enum { VIC_SELECT = 3, VIC_ENABLE = 4, VIC_SOFT = 6 };

enum { HIGH = 1 << 13, EE = 1 << 25, TE = 1 << 30 };

extern u32 thumb_vectors[];
static const char *pass;
static u32 big_endian;

/* What a handler has written before it was little-endian. */
static u32 early(u32 word)
{
    return big_endian ? __builtin_bswap32(word) : word;
}

static void show(const struct snippet *snippet, u32 cpsr, const char *what)
{
    text(snippet->name);
    text(snippet->address & 1 ? ", Thumb, " : ", ARM, ");
    text(mode_name(cpsr));
    text(what);
    text(pass);
    text(": ");
    text(vector_name(outcome.vector));
    field("cpsr", early(outcome.cpsr));
    field("spsr", outcome.spsr);
    field("lr", outcome.r[14]);
    field("sp", outcome.r[13]);
    if (outcome.vector == 0x0c) {
        field("ifsr", outcome.ifsr);
#if V7
        if ((outcome.ifsr & 0xf) != 2)
            field("ifar", outcome.ifar);
#endif
    }
    if (outcome.vector == 0x10) {
        field("dfsr", outcome.dfsr);
        field("dfar", outcome.dfar);
    }
    /* Registers as the handler found them, and those of the mode before. */
    u32 sum = early(outcome.r[0]);
    for (u32 i = 1; i != 13; i++)
        sum = digest(sum, outcome.r[i]);
    for (u32 i = 0; i != 7; i++)
        sum = digest(sum, outcome.own[i]);
    field("registers", sum);
    end();
}

static void prepare(struct frame *frame, const struct snippet *snippet, u32 cpsr)
{
    for (u32 i = 0; i != 13; i++)
        frame->r[i] = 0x1100 + i;
    frame->r[0] = HOLE;
    frame->sp = 0x00180000;
    frame->lr = 0x5678;
    frame->pc = snippet->address & ~1;
    frame->cpsr = cpsr | (snippet->address & 1 ? THUMB : 0);
    outcome.dfsr = outcome.ifsr = outcome.dfar = outcome.ifar = 0;
    for (u32 i = 0; i != 7; i++)
        outcome.own[i] = 0;
}

static void exceptions(const struct snippet *snippet, u32 cpsr)
{
    struct frame frame;

    prepare(&frame, snippet, cpsr);
    run(&frame);
    show(snippet, cpsr, "");
    /* Beyond what was refused, with a Thumb instruction of two halfwords or two
     * Thumb instructions left out. A jump is not returned from. */
    prepare(&frame, snippet, cpsr);
    if (outcome.vector == 0x0c && (outcome.ifsr & 0xf) != 2)
        return;
    returns = outcome.vector == 0x10 ? 2 : snippet->address & 1 ? 1 : 4;
    run(&frame);
    returns = 0;
    show(snippet, cpsr, ", returned");
}

static void interrupts(const struct snippet *snippet, u32 cpsr)
{
    struct frame frame;

    for (u32 fast = 0; fast != 2; fast++)
        for (u32 masks = 0; masks != 4; masks++)
            for (u32 again = 0; again != 2; again++) {
                prepare(&frame, snippet, (cpsr & ~OFF) | masks << 6);
                VIC[VIC_SELECT] = fast << 3;
                VIC[VIC_ENABLE] = 8;
                VIC[VIC_SOFT] = 8;
                returns = again ? 2 : 0;
                run(&frame);
                text(fast ? "fast, " : "plain, ");
                digits(masks, 1);
                text(" masked, ");
                show(snippet, cpsr, again ? ", returned" : "");
            }
    returns = 0;
}

/* All of it with further bits of the control register. */
static void everything(const char *about, u32 control, u32 mode_count, u32 flag_count)
{
    static const u32 flags[] = { 0xf8000000 | OFF, V6 ? 0x000f0000 : 0,
                                 V6 ? 0x50050100 : 0x50000000 };

    pass = about;
    big_endian = control & EE;
    mmu_control(control);
    for (const struct snippet *snippet = snippets; snippet != snippets_end; snippet++)
        for (u32 mode = 0; mode != mode_count; mode++)
            for (u32 flag = 0; flag != flag_count; flag++) {
                u32 cpsr = modes[mode] | flags[flag];

                if (snippet->name[0] == 'w' && snippet->name[1] == 'a')
                    interrupts(snippet, cpsr);
                else
                    exceptions(snippet, cpsr);
            }
    mmu_control(0);
}

int main(void)
{
    map_program(SECTION_ALL);
    /* The page of the vectors is at the top, too. */
    TABLE[0xfff] = (u32)SECOND(0) | (V7 ? 1 : 0x11);
    SECOND(0)[0xf0] = V7 ? 0x032 : 0xff2;
    mmu_on(0);
    everything("", 0, ARRAY(modes), 3);
    everything(", high vectors", HIGH, 2, 1);
#if V6
    /* So are the tables then. */
    mmu_off();
    SECOND(0)[0xf0] = __builtin_bswap32(SECOND(0)[0xf0]);
    for (u32 i = 0; i != 4096; i++)
        TABLE[i] = __builtin_bswap32(TABLE[i]);
    mmu_on(EE);
    everything(", big-endian", EE, 2, 1);
    mmu_off();
    SCTLR_WRITE(SCTLR_READ() & ~EE);
    SECOND(0)[0xf0] = __builtin_bswap32(SECOND(0)[0xf0]);
    for (u32 i = 0; i != 4096; i++)
        TABLE[i] = __builtin_bswap32(TABLE[i]);
    mmu_on(0);
#endif
#if V7
    /* Vectors of Thumb code that lead to the others. */
    SECOND(0)[0xf0] = (u32)thumb_vectors | 0x32;
    flush_tlb();
    everything(", Thumb vectors", HIGH | TE, 2, 1);
#endif
    return 0;
}
