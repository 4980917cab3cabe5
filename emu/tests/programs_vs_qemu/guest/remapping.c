/* Mappings that change: what has to be seen after each kind of invalidation of the
 * TLB, and after a change of address space. */

#include "program.h"

#define PAGE 0x40203000u
#define LARGE 0x40230000u
#define SECTION 0x40500000u
#define MEMORY 0x02000000u
/* Memory is full of words that tell its MiB and page, and of code that does. */
enum { XP = 1 << 23, NOT_GLOBAL = 1 << 11 };

static u32 descriptor(u32 page, u32 rights)
{
    return (MEMORY + (page << 12)) | (V6 ? rights << 4 : rights * 0x550) | 2;
}

static u32 read(u32 at)
{
    return *(volatile u32 *)at;
}

/* mov r0, #page; bx lr at 8. */
static u32 call(u32 at)
{
    return ((u32 (*)(void))(at + 8))();
}

static void see(const char *about, u32 at)
{
    text(about);
    text(":");
    field("read", read(at));
    field("called", call(at));
    end();
}

#if V6
#define ASID 5
#else
#define ASID 0
#endif

enum kind { ALL, PAGE_ALONE, OF_ASID, PAGE_OF_ALL, DATA_AND_CODE, DATA_AND_CODE_PAGE, KINDS };
static const char *const kinds[] = {
    "all", "by address", "by ASID", "by address, all ASIDs", "data and instructions apart",
    "data and instructions apart, by address",
};

static int invalidate(enum kind kind, u32 at)
{
    barrier();
    switch (kind) {
    case ALL:
        CP15_WRITE(0, c8, c7, 0, 0);
        break;
    case PAGE_ALONE:
        CP15_WRITE(0, c8, c7, 1, at | ASID);
        break;
    case OF_ASID:
#if V6
        CP15_WRITE(0, c8, c7, 2, ASID);
        break;
#else
        return 0;
#endif
    case PAGE_OF_ALL:
#if V7
        CP15_WRITE(0, c8, c7, 3, at);
        break;
#else
        return 0;
#endif
    case DATA_AND_CODE:
        CP15_WRITE(0, c8, c5, 0, 0);
        CP15_WRITE(0, c8, c6, 0, 0);
        break;
    default:
        CP15_WRITE(0, c8, c5, 1, at | ASID);
        CP15_WRITE(0, c8, c6, 1, at | ASID);
        break;
    }
    sync_code();
    return 1;
}

static void say(const char *what, enum kind kind)
{
    text(what);
    text(", ");
    text(kinds[kind]);
}

static void pages(enum kind kind)
{
    for (u32 turn = 0; turn != 4; turn++) {
        SECOND(0)[3] = descriptor(turn, 3) | (kind == OF_ASID ? NOT_GLOBAL : 0);
        if (!invalidate(kind, PAGE))
            return;
        say("page", kind);
        see("", PAGE);
    }
    /* Rights that are taken away, and given back. */
    static const u32 rights[] = { 0x23, 3, 0, 3, 0x21, 1 };
    for (u32 i = 0; V7 && i != ARRAY(rights); i++) {
        SECOND(0)[3] = descriptor(1, rights[i]) | (kind == OF_ASID ? NOT_GLOBAL : 0);
        invalidate(kind, PAGE);
        for (u32 write = 0; write != 2; write++) {
            /* str r0, [r1]; svc #0 or ldr, of words 4 and 6 */
            struct frame frame = { .r = { 0x77, PAGE + 0x100 }, .cpsr = SYS | OFF };
            frame.pc = MEMORY + (write ? 16 : 24);
            run(&frame);
            say("rights", kind);
            field(": rights", rights[i]);
            text(write ? " write " : " read ");
            text(vector_name(outcome.vector));
            if (outcome.vector == 0x10)
                field("dfsr", outcome.dfsr);
            end();
        }
    }
}

/* Any address in a large page or section stands for all of it. */
static void larger(enum kind kind)
{
    for (u32 turn = 0; turn != 4; turn++) {
        u32 memory = MEMORY + (turn & 1) * 0x100000;

        for (u32 i = 0; i != 16; i++)
            SECOND(0)[0x30 + i] = memory | (V6 ? 0x30 : 0xff0) | 1
                                  | (kind == OF_ASID ? NOT_GLOBAL : 0);
        TABLE[SECTION >> 20] = memory | SECTION_ALL | (kind == OF_ASID ? 1 << 17 : 0);
        if (!invalidate(kind, LARGE + 0x5000))
            return;
        invalidate(kind, SECTION + 0x44000);
        say("large page", kind);
        see("", LARGE + 0x5000);
        say("large page elsewhere", kind);
        see("", LARGE + 0xa000);
        say("section", kind);
        see("", SECTION + 0x44000);
        say("section elsewhere", kind);
        see("", SECTION + 0x45000);
    }
}

#if V6
/* Two address spaces that differ in one page; nothing is invalidated. */
static void spaces(int context_first)
{
    volatile u32 *other = (volatile u32 *)0x00120000;
    volatile u32 *page = (volatile u32 *)0x00124000;

    SECOND(0)[3] = descriptor(4, 3) | NOT_GLOBAL;
    for (u32 i = 0; i != 256; i++)
        page[i] = SECOND(0)[i];
    page[3] = descriptor(5, 3) | NOT_GLOBAL;
    for (u32 i = 0; i != 4096; i++)
        other[i] = TABLE[i];
    other[PAGE >> 20] = (u32)page | 1;
    flush_tlb();
    for (u32 turn = 0; turn != 6; turn++) {
        u32 base = turn & 1 ? (u32)other : (u32)TABLE;

        if (!context_first) {
            CP15_WRITE(0, c2, c0, 0, base);
            sync_code();
        }
        CP15_WRITE(0, c13, c0, 1, 0x100 | (ASID + (turn & 1)));
        sync_code();
        CP15_WRITE(0, c2, c0, 0, base);
        sync_code();
        see(context_first ? "ASID first" : "table first", PAGE);
    }
    CP15_WRITE(0, c2, c0, 0, TABLE);
    CP15_WRITE(0, c13, c0, 1, ASID);
    flush_tlb();
}
#endif

/* What was not there and comes needs no invalidation. */
static void appearing(void)
{
    SECOND(0)[7] = 0;
    flush_tlb();
    for (u32 turn = 0; turn != 2; turn++) {
        struct frame frame = { .r = { 0, PAGE + 0x4000 }, .cpsr = SYS | OFF, .pc = MEMORY + 24 };
        run(&frame);
        text("appearing: ");
        text(vector_name(outcome.vector));
        field("r0", outcome.r[0]);
        end();
        SECOND(0)[7] = descriptor(6, 3);
        barrier();
    }
}

int main(void)
{
    static const u32 code[] = { 0, 0, 0xe3a00000, 0xe12fff1e, 0xe5810000, 0xef000000,
                                0xe5910000, 0xef000000 };

    for (u32 page = 0; page != 0x200; page++)
        for (u32 i = 0; i != ARRAY(code); i++) {
            u32 value = i == 2 ? code[i] + (page & 0x7f) + (page >> 8) * 0x80 : code[i];
            *(volatile u32 *)(MEMORY + (page << 12) + 4 * i) = i ? value : 0xabc000 + page;
        }
    map_program(SECTION_ALL);
    for (u32 i = 0x20; i != 0x22; i++)
        TABLE[i] = i << 20 | SECTION_ALL;
    TABLE[PAGE >> 20] = (u32)SECOND(0) | (V6 ? 1 : 0x11);
#if V6
    CP15_WRITE(0, c13, c0, 1, ASID);
#endif
    mmu_on(V6 && !V7 ? XP : 0);
    for (enum kind kind = ALL; kind != KINDS; kind++) {
        pages(kind);
        larger(kind);
    }
    appearing();
#if V6
    spaces(1);
    spaces(0);
#endif
    return 0;
}
