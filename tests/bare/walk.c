/* Asks the processor where it finds addresses: for every case that the host has
 * put at CASES, takes its translation registers, and tells of each of its
 * addresses what the four address translation operations say and what a fetch in
 * both modes does. The host's half is tests/tests/devices_vs_qemu/walk.rs; keep
 * them equal. Program, cases and results lie in the first 2 MiB, which every
 * case's tables map as they are. */

typedef unsigned int u32;
typedef unsigned long long u64;

#define CASES ((const struct cases *)0x00040000)
#define RESULTS ((struct result *)0x00080000)
#define SCTLR_M 1u

struct result {
    u64 par[4];         /* of reads and writes with privilege and without */
    u32 fetch[2];       /* with privilege, without */
};

struct test {
    u32 sctlr, ttbcr;
    u64 ttbr0, ttbr1;
    u32 count;
    u32 address[];      /* bit 0: a fetch is tried, too */
};

struct cases {
    char file[256];     /* where the results go */
    u32 file_length;
    u32 count;
    u32 first[];        /* of each case, in bytes from here */
};

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, OPEN_WB = 5 };

int semihost(int operation, void *arguments);
u32 fetch(u32 address, u32 mode);
void leave_hypervisor(void);
extern u32 walk_vectors[];

#define TRANSLATE(operation)                                            \
    static u64 translate_##operation(u32 address)                       \
    {                                                                   \
        u64 par;                                                        \
        __asm__ volatile("mcr p15, 0, %1, c7, c8, " #operation "\n\t"   \
                         "isb\n\t"                                      \
                         "mrrc p15, 0, %Q0, %R0, c7"                    \
                         : "=r"(par) : "r"(address) : "memory");        \
        return par;                                                     \
    }
TRANSLATE(0)
TRANSLATE(1)
TRANSLATE(2)
TRANSLATE(3)

static void set_control(u32 value)
{
    __asm__ volatile("mcr p15, 0, %0, c1, c0, 0\n\tisb" : : "r"(value) : "memory");
}

static void probe(const struct test *test, u32 control, struct result *result)
{
    __asm__ volatile("mcr p15, 0, %0, c2, c0, 2" : : "r"(test->ttbcr));
    __asm__ volatile("mcrr p15, 0, %Q0, %R0, c2" : : "r"(test->ttbr0));
    __asm__ volatile("mcrr p15, 1, %Q0, %R0, c2" : : "r"(test->ttbr1));
    __asm__ volatile("mcr p15, 0, %0, c8, c7, 0" : : "r"(0));
    set_control(control | test->sctlr | SCTLR_M);
    for (u32 i = 0; i != test->count; i++, result++) {
        u32 address = test->address[i] & ~1u;

        result->par[0] = translate_0(address);
        result->par[1] = translate_1(address);
        result->par[2] = translate_2(address);
        result->par[3] = translate_3(address);
        if (test->address[i] & 1) {
            result->fetch[0] = fetch(address, 0x1d3);
            result->fetch[1] = fetch(address, 0x1d0);
        }
    }
    set_control(control);
}

void main(void)
{
    struct result *result = RESULTS;
    u32 control;

    leave_hypervisor();
    __asm__ volatile("mcr p15, 0, %0, c12, c0, 0" : : "r"(walk_vectors));
    __asm__ volatile("mrc p15, 0, %0, c1, c0, 0" : "=r"(control));
    for (u32 i = 0; i != CASES->count; i++) {
        const struct test *test = (void *)((u32)CASES + CASES->first[i]);

        probe(test, control, result);
        result += test->count;
    }

    u32 open[] = { (u32)CASES->file, OPEN_WB, CASES->file_length };
    int handle = semihost(SYS_OPEN, open);
    u32 write[] = { handle, (u32)RESULTS, (u32)result - (u32)RESULTS };
    semihost(SYS_WRITE, write);
    semihost(SYS_CLOSE, write);
}
