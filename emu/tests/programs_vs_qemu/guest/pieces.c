/* Runs every piece of code of a program's table from every mode and tells all that
 * it leaves: registers of the mode and of all others, status, memory. r0 and sp are
 * addresses of memory of its own. */

#include "program.h"

#define MEMORY ((volatile u32 *)0x00180000)
enum { WORDS = 64, BANKS = 7 };

struct bank {
    u32 sp, lr, spsr;
};

/* A program's own, where they are not these: what is prepared for each pass through
 * the table and what that pass is called, none after the last one; and how many of
 * the modes. */
__attribute__((weak)) const char *prepare(u32 pass)
{
    return pass ? 0 : "";
}

extern u32 how_many_modes;
__attribute__((weak)) u32 how_many_modes = ARRAY(modes);

static void banks(struct bank *bank)
{
    for (u32 i = 1; i != BANKS; i++) {
        u32 sp, lr, spsr = 0;

        if (modes[i] == SYS)
            __asm__ volatile("mrs r3, cpsr\n\tmsr cpsr_c, %2\n\tmov %0, sp\n\tmov %1, lr\n\t"
                             "msr cpsr_c, r3"
                             : "=&r"(sp), "=&r"(lr) : "r"(modes[i] | OFF) : "r3");
        else
            __asm__ volatile("mrs r3, cpsr\n\tmsr cpsr_c, %3\n\tmov %0, sp\n\tmov %1, lr\n\t"
                             "mrs %2, spsr\n\tmsr cpsr_c, r3"
                             : "=&r"(sp), "=&r"(lr), "=&r"(spsr) : "r"(modes[i] | OFF) : "r3");
        bank[i] = (struct bank){ sp, lr, spsr };
    }
}

/* The same for every piece: what one leaves is not another's. */
static void set_banks(void)
{
    for (u32 i = 1; i != BANKS; i++) {
        u32 mode = modes[i];

        if (mode == SVC)
            __asm__ volatile("msr spsr_cxsf, %0" : : "r"(mode | OFF));
        else if (mode == SYS)
            __asm__ volatile("mrs r3, cpsr\n\tmsr cpsr_c, %0\n\tmov sp, %0\n\tmov lr, %0\n\t"
                             "msr cpsr_c, r3" : : "r"(mode | OFF) : "r3");
        else
            __asm__ volatile("mrs r3, cpsr\n\tmsr cpsr_c, %0\n\tmov sp, %0\n\tmov lr, %0\n\t"
                             "msr spsr_cxsf, %0\n\tmsr cpsr_c, r3" : : "r"(mode | OFF) : "r3");
    }
}

static void one(const char *pass, const struct snippet *snippet, u32 cpsr)
{
    static const u32 values[13] = {
        0, 0x80000001, 0x12345678, 0x00000003, 0xfffffffe, 0x7fffffff, 0x0000ff00, 0xa5a5a5a5,
        0x88888888, 0x99999999, 0xaaaaaaaa, 0xbbbbbbbb, 0xcccccccc,
    };
    struct bank before[BANKS], after[BANKS];
    struct frame frame = {
        .pc = snippet->address & ~1,
        .cpsr = cpsr | (snippet->address & 1 ? THUMB : 0),
        .sp = (u32)(MEMORY + 16),
        .lr = 0xeeeeeeee,
    };

    for (u32 i = 0; i != 13; i++)
        frame.r[i] = values[i];
    frame.r[0] = (u32)MEMORY;
    for (u32 i = 0; i != WORDS; i++)
        MEMORY[i] = 0xf0f1f2f3 + 0x04040404 * i;
    outcome.dfsr = outcome.dfar = 0;
    set_banks();
    banks(before);
    run(&frame);
    banks(after);
    text(snippet->name);
    text(snippet->address & 1 ? ", Thumb, " : ", ARM, ");
    text(mode_name(cpsr));
    text(pass);
    text(": ");
    text(vector_name(outcome.vector));
    field("cpsr", outcome.cpsr);
    field("spsr", outcome.spsr);
    field("lr", outcome.r[14] - frame.pc);
    if (outcome.vector == 0x10) {
        field("dfsr", outcome.dfsr);
        field("dfar", outcome.dfar);
    }
    for (u32 i = 0; i != 13; i++)
        if (outcome.r[i] != frame.r[i]) {
            text(" r");
            number(i);
            text("=");
            hex(outcome.r[i]);
        }
    for (u32 i = 0; i != 7; i++) {
        text(i ? "" : " own");
        text(" ");
        hex(outcome.own[i]);
    }
    for (u32 i = 1; i != BANKS; i++) {
        text(" ");
        text(mode_name(modes[i]));
        if (before[i].sp != after[i].sp)
            field("sp", after[i].sp);
        if (before[i].lr != after[i].lr)
            field("lr", after[i].lr);
        if (before[i].spsr != after[i].spsr)
            field("spsr", after[i].spsr);
    }
    for (u32 i = 0; i != WORDS; i++)
        if (MEMORY[i] != 0xf0f1f2f3 + 0x04040404 * i) {
            text(" at ");
            number(4 * i);
            text(" ");
            hex(MEMORY[i]);
        }
    end();
}

int main(void)
{
    const char *pass;

    for (u32 i = 0; (pass = prepare(i)); i++)
        for (const struct snippet *snippet = snippets; snippet != snippets_end; snippet++)
            for (u32 mode = 0; mode != how_many_modes; mode++)
                one(pass, snippet, modes[mode] | OFF | 0x60000000);
    return 0;
}
