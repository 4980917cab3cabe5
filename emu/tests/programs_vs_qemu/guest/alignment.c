/* Accesses that are not aligned (alignment.S), in user mode: without checks, with
 * them, and on Armv6 in both ways to treat them. */

#include "program.h"

#define MEMORY ((volatile u32 *)0x00180000)
enum { WORDS = 8, A = 1 << 1, U = 1 << 22 };

/* Whether a single word, halfword or byte is loaded or stored. */
static int is_single(const char *name)
{
    return name[1] != 'w' && name[2] == 'r'
        && (name[3] == ' ' || name[3] == 'h' || name[3] == 's' || name[3] == 'b');
}

static void one(const struct snippet *snippet, const char *pass, int checked)
{
    struct frame frame = {
        .r = { (u32)MEMORY, 1, 0x12345678, 0x23456789 },
        .pc = snippet->address & ~1,
        .cpsr = USR | OFF | (snippet->address & 1 ? THUMB : 0),
    };

    for (u32 i = 0; i != WORDS; i++)
        MEMORY[i] = 0xf0f1f2f3 + 0x04040404 * i;
    MEMORY[-1] = 0xecedeeef;
    run(&frame);
    text(snippet->name);
    text(snippet->address & 1 ? ", Thumb" : "");
    text(pass);
    text(": ");
    text(outcome.vector == 0x08 ? "ok" : vector_name(outcome.vector));
    text(" ");
    digits(outcome.vector == 0x10 ? outcome.dfsr : 0, 3);
    if (outcome.vector == 0x10 && outcome.dfar != outcome.r[0])
        field("far", outcome.dfar);
    if (is_single(snippet->name) && !checked) {
        field("r1", outcome.r[1]);
        for (int i = -1; i != WORDS; i++) {
            text(" ");
            hex(MEMORY[i]);
        }
    }
    end();
}

static void all(u32 control, const char *pass)
{
    SCTLR_WRITE(control);
    for (const struct snippet *snippet = snippets; snippet != snippets_end; snippet++)
        one(snippet, pass, control & A);
}

int main(void)
{
    u32 control = SCTLR_READ() & ~(A | (V7 ? 0 : U));

    all(control, ", unchecked");
    if (V6 && !V7)
        all(control | U, ", unchecked, U");
    all(control | A, ", checked");
    if (V6 && !V7)
        all(control | A | U, ", checked, U");
    return 0;
}
