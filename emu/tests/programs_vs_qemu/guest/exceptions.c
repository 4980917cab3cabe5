/* Every exception from every mode, in ARM and in Thumb code: what the handler
 * finds, and what it returns to. */

#include "program.h"

#define HOLE 0x07654320
#define VIC ((volatile u32 *)0x10140000)
enum { VIC_SELECT = 3, VIC_ENABLE = 4, VIC_SOFT = 6 };

static void show(const struct snippet *snippet, u32 cpsr, const char *what)
{
    text(snippet->name);
    text(snippet->address & 1 ? ", Thumb, " : ", ARM, ");
    text(mode_name(cpsr));
    text(what);
    text(": ");
    text(vector_name(outcome.vector));
    field("cpsr", outcome.cpsr);
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
    text(" |");
    for (u32 i = 0; i != 8; i++) {
        text(" ");
        digits(outcome.r[i], 4);
    }
    text(" own");
    for (u32 i = 0; i != 7; i++) {
        text(" ");
        digits(outcome.own[i], 4);
    }
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

int main(void)
{
    static const u32 flags[] = { 0xf8000000 | OFF, V6 ? 0x000f0000 : 0, V6 ? 0x50050100 : 0x50000000 };

    map_program(SECTION_ALL);
    mmu_on(0);
    for (const struct snippet *snippet = snippets; snippet != snippets_end; snippet++)
        for (u32 mode = 0; mode != ARRAY(modes); mode++)
            for (u32 flag = 0; flag != ARRAY(flags); flag++) {
                u32 cpsr = modes[mode] | flags[flag];

                if (snippet->name[0] == 'w' && snippet->name[1] == 'a')
                    interrupts(snippet, cpsr);
                else
                    exceptions(snippet, cpsr);
            }
    return 0;
}
