/* Interpreter of register scripts: does what the host has put at SCRIPT, step
 * by step, and writes what it read to a file of the host by semihosting. The
 * host's half is tests/tests/devices_vs_qemu/script.rs; keep them equal. */

typedef unsigned int u32;

#define SCRIPT ((const struct script *)0x00400000)
#define RESULTS ((u32 *)0x00800000)

struct step {
    u32 code, address, value;
};

struct script {
    char file[256];     /* where the results go */
    u32 file_length;
    u32 clock;          /* address of a counter, 0 for none */
    struct step steps[];
};

enum { END, WRITE32, READ32, WRITE8, READ8, LEVELS, DELAY };

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, OPEN_WB = 5 };

int semihost(int operation, void *arguments);
u32 levels(void);

static u32 execute(const struct step *step)
{
    switch (step->code) {
    case WRITE32:
        *(volatile u32 *)step->address = step->value;
        return 0;
    case READ32:
        return *(volatile u32 *)step->address;
    case WRITE8:
        *(volatile unsigned char *)step->address = step->value;
        return 0;
    case READ8:
        return *(volatile unsigned char *)step->address;
    case LEVELS:
        return levels();
    case DELAY:
        for (u32 i = step->value; i != 0; i--)
            __asm__ volatile("");
        return 0;
    }
    return 0;
}

static u32 now(void)
{
    return SCRIPT->clock ? *(volatile u32 *)SCRIPT->clock : 0;
}

void main(void)
{
    u32 *result = RESULTS;

    for (const struct step *step = SCRIPT->steps; step->code != END; step++) {
        *result++ = now();
        u32 value = execute(step);
        *result++ = now();
        *result++ = value;
    }

    u32 open[] = { (u32)SCRIPT->file, OPEN_WB, SCRIPT->file_length };
    int handle = semihost(SYS_OPEN, open);
    u32 write[] = { handle, (u32)RESULTS, (u32)result - (u32)RESULTS };
    semihost(SYS_WRITE, write);
    semihost(SYS_CLOSE, write);
}
