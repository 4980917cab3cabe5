/* What programs share: text on the UART, code run in any mode, page tables. The
 * layouts are those of start.S. */

typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;
typedef unsigned long long u64;

#define ARRAY(array) (sizeof(array) / sizeof(*(array)))
#define V6 (__ARM_ARCH >= 6)
#define V7 (__ARM_ARCH >= 7)

/* Program status (DDI 0406C B1.3.3). */
enum {
    USR = 0x10, FIQ = 0x11, IRQ = 0x12, SVC = 0x13, ABT = 0x17, UND = 0x1b, SYS = 0x1f,
    THUMB = 1 << 5, FIQ_OFF = 1 << 6, IRQ_OFF = 1 << 7, OFF = IRQ_OFF | FIQ_OFF,
};

extern const u32 modes[7];

/* The state that a piece of code starts with. */
struct frame {
    u32 r[13], pc, cpsr, sp, lr;
};

/* The exception that ended it: registers as the handler found them, status, and
 * r8 to lr of the mode that was interrupted. */
struct outcome {
    u32 vector, r[15], spsr, cpsr, own[7], dfsr, ifsr, dfar, ifar;
};

extern volatile struct outcome outcome;
/* How the next handler returns instead of ending the code: 0 not at all, 1 movs pc,
 * lr; 2 and 3 subs pc, lr, #4 and #8; 4 with ldm. */
extern volatile u32 returns;

void run(const struct frame *frame);

/* A piece of code of a program, with its name. */
struct snippet {
    const char *name;
    u32 address;        /* bit 0: Thumb */
};
extern const struct snippet snippets[], snippets_end[];

void text(const char *text);
void hex(u32 value);            /* eight digits */
void digits(u32 value, u32 count);
void number(u32 value);         /* decimal */
void field(const char *name, u32 value);    /* " name=value" */
void end(void);                 /* of a line */
const char *mode_name(u32 cpsr);
const char *vector_name(u32 vector);

/* First-level table, 16 KiB, and 1 KiB tables of the second level behind it. */
#define TABLE ((volatile u32 *)0x00100000)
#define SECOND(number) ((volatile u32 *)(0x00110000 + 0x1000 * (number)))

/* Sections that everybody may use, and that privileged modes may. */
enum { SECTION_ALL = 0xc02, SECTION_PRIVILEGED = 0x402 };

void map_program(u32 section);  /* memory below 2 MiB, and the chips */
void mmu_on(u32 sctlr);         /* with TABLE; bits are added */
void mmu_off(void);
void mmu_control(u32 sctlr);    /* these bits besides those of mmu_on */
void flush_tlb(void);
void barrier(void);             /* until all accesses are made */
void sync_code(void);           /* after code was written */
u32 random_bits(void);
u32 digest(u32 sum, u32 word);  /* a check sum with one more word */

#define CP15_READ(opc1, crn, crm, opc2) ({                                      \
    u32 value_;                                                                 \
    __asm__ volatile("mrc p15, " #opc1 ", %0, " #crn ", " #crm ", " #opc2       \
                     : "=r"(value_) : : "memory");                              \
    value_; })
#define CP15_WRITE(opc1, crn, crm, opc2, value)                                 \
    __asm__ volatile("mcr p15, " #opc1 ", %0, " #crn ", " #crm ", " #opc2       \
                     : : "r"(value) : "memory")

#define SCTLR_READ() CP15_READ(0, c1, c0, 0)
#define SCTLR_WRITE(value) CP15_WRITE(0, c1, c0, 0, value)
#define DACR_WRITE(value) CP15_WRITE(0, c3, c0, 0, value)
