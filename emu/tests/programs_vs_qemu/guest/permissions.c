/* What page tables allow: every kind of descriptor with every permission, domain
 * and kind of access, and the fault status when one is refused. */

#include "program.h"
#include "access.h"

/* Of the program and of what is tried; a supersection is in domain 0. */
enum { OWN = 1, DOMAIN = 5 };

enum { XP = 1 << 23, SYSTEM = 1 << 8, ROM = 1 << 9, AFE = 1 << 29, UWXN = 1 << 20 };

#ifdef __ARM_FEATURE_IDIV
#define LPAE 1
#else
#define LPAE 0
#endif

/* Where each kind is: a first-level index, and what is looked at. */
#define AT_SECTION 0x40100124u
#define AT_SUPERSECTION 0x41300124u
#define AT_TABLE 0x402u
#define AT_SMALL 0x40203124u
#define AT_LARGE 0x4023c124u
#define AT_FINE 0x403u
#define AT_TINY 0x40303124u

enum kind { SECTION, SUPERSECTION, LARGE, SMALL, EXTENDED, TINY, FINE_SMALL, FINE_LARGE };
static const char *const kinds[] = {
    "section", "supersection", "large page", "small page", "extended small page",
    "tiny page", "small page in a fine table", "large page in a fine table",
};

static u32 table(u32 number, u32 kind)
{
    return (u32)SECOND(number) | DOMAIN << 5 | kind;
}

/* A descriptor of the new format; returns the address to look at. */
static u32 put_new(enum kind kind, u32 apx, u32 ap, u32 xn, u32 pxn)
{
    switch (kind) {
    case SECTION:
        TABLE[0x401] = TARGET | apx << 15 | ap << 10 | DOMAIN << 5 | xn << 4 | 2 | pxn;
        return AT_SECTION;
    case SUPERSECTION:
        for (u32 i = 0; i != 16; i++)
            TABLE[0x410 + i] = TARGET | 1 << 18 | apx << 15 | ap << 10 | xn << 4 | 2 | pxn;
        return AT_SUPERSECTION;
    case LARGE:
        TABLE[AT_TABLE] = table(0, 1 | pxn << 2);
        for (u32 i = 0; i != 16; i++)
            SECOND(0)[0x30 + i] = TARGET | xn << 15 | apx << 9 | ap << 4 | 1;
        return AT_LARGE;
    default:
        TABLE[AT_TABLE] = table(0, 1 | pxn << 2);
        SECOND(0)[3] = TARGET | apx << 9 | ap << 4 | 2 | xn;
        return AT_SMALL;
    }
}

static void domain(u32 access)
{
    DACR_WRITE(access << 2 * DOMAIN | access | 1 << 2 * OWN);
}

static void one(const char *about, u32 address)
{
    text(about);
    text(":");
    attempt_all(address);
    end();
}

static const char *const domains[] = { ", closed", ", client", "", ", manager" };

#if V6
static void new_format(enum kind kind, u32 control, const char *controls)
{
    for (u32 access = 0; access != 4; access++)
        for (u32 bits = 0; bits != (LPAE ? 32 : 16); bits++) {
            if (access == 2)
                continue;
            u32 apx = bits >> 2 & 1, ap = bits & 3, xn = bits >> 3 & 1, pxn = bits >> 4;
            /* QEMU looks at the flag last: once is enough to see that. */
            if (control == AFE && !(ap & 1) && kind != SECTION
                && (access != 1 || xn || pxn))
                continue;
            u32 address = put_new(kind, apx, ap, xn, pxn);

            flush_tlb();
            domain(access);
            mmu_control(control);
            text(kinds[kind]);
            text(" AP=");
            digits(apx << 2 | ap, 1);
            text(xn ? " XN" : "");
            text(pxn ? " PXN" : "");
            text(controls);
            one(domains[access], address);
            mmu_control(0);
        }
}
#endif

#if !V7
/* A descriptor of the old format, with permissions for each quarter. */
static u32 put_old(enum kind kind, u32 quarters)
{
    switch (kind) {
    case SECTION:
        TABLE[0x401] = TARGET | (quarters & 3) << 10 | DOMAIN << 5 | 0x10 | 2;
        return AT_SECTION;
    case SUPERSECTION:
        for (u32 i = 0; i != 16; i++)
            TABLE[0x410 + i] = TARGET | 1 << 18 | (quarters & 3) << 10 | 2;
        return AT_SUPERSECTION;
    case LARGE:
        TABLE[AT_TABLE] = table(0, 0x11);
        for (u32 i = 0; i != 16; i++)
            SECOND(0)[0x30 + i] = TARGET | quarters << 4 | 1;
        return AT_LARGE;
    case EXTENDED:
        TABLE[AT_TABLE] = table(0, 0x11);
        SECOND(0)[3] = TARGET | (quarters & 3) << 4 | 3;
        return AT_SMALL;
    case SMALL:
        TABLE[AT_TABLE] = table(0, 0x11);
        SECOND(0)[3] = TARGET | quarters << 4 | 2;
        return AT_SMALL;
    case TINY:
        TABLE[AT_FINE] = table(2, 0x13);
        for (u32 i = 0; i != 4; i++)
            SECOND(2)[12 + i] = TARGET | i << 10 | (quarters >> 2 * i & 3) << 4 | 3;
        return AT_TINY;
    case FINE_SMALL:
        TABLE[AT_FINE] = table(2, 0x13);
        for (u32 i = 0; i != 4; i++)
            SECOND(2)[12 + i] = TARGET | quarters << 4 | 2;
        return AT_TINY;
    default:
        TABLE[AT_FINE] = table(2, 0x13);
        for (u32 i = 0; i != 64; i++)
            SECOND(2)[0x80 + i] = TARGET | quarters << 4 | 1;
        return 0x40320124;
    }
}

static void old_format(enum kind kind, u32 control, const char *controls)
{
    for (u32 access = 0; access != 4; access++)
        for (u32 ap = 0; ap != 4; ap++) {
            if (access == 2)
                continue;
            u32 address = put_old(kind, ap * 0x55);

            flush_tlb();
            domain(access);
            mmu_control(control);
            text("old ");
            text(kinds[kind]);
            text(" AP=");
            digits(ap, 1);
            text(controls);
            one(domains[access], address);
            mmu_control(0);
        }
}

/* Quarters with permissions of their own. */
static void quarters(enum kind kind, u32 step)
{
    u32 address = put_old(kind, 0xe4) & ~(4 * step - 1);

    flush_tlb();
    domain(1);
    for (u32 quarter = 0; quarter != 4; quarter++) {
        text("old ");
        text(kinds[kind]);
        text(", quarter ");
        digits(quarter, 1);
        one("", address + quarter * step + 0x124);
    }
}
#endif

/* What is mapped nowhere: domain and level of the fault. */
static void nothing(void)
{
    domain(1);
    put_new(SMALL, 0, 3, 0, 0);
    TABLE[0x401] = 0;
    SECOND(0)[3] = 0;
    flush_tlb();
    one("no section", AT_SECTION);
    one("no page", AT_SMALL);
    TABLE[0x401] = TARGET | 3 | 3 << 10 | DOMAIN << 5;
    flush_tlb();
#if V6 && !LPAE
    one("reserved first-level descriptor", AT_SECTION);
#endif
    TABLE[0x401] = TARGET | 2 | 3 << 10 | DOMAIN << 5;
    flush_tlb();
    /* A closed domain is told before the page that is not there. */
    domain(0);
    one("no page, domain closed", AT_SMALL);
    attempt(FETCH, USR, AT_SMALL);
    text("instruction fault status:");
    field("domain", outcome.ifsr >> 4 & 15);
    end();
}

int main(void)
{
    /* Privileged modes may do everything, user mode may run and read. */
    map_program(0x802 | OWN << 5);
    for (u32 i = 0; i != 4096; i++)
        if (TABLE[i] && i)
            TABLE[i] |= OWN << 5;
    fill_target(0x100000);
    mmu_on(V6 ? XP : 0);
    nothing();
#if V6
    for (enum kind kind = SECTION; kind <= SMALL; kind++) {
        new_format(kind, 0, "");
        if (!V7) {
            new_format(kind, SYSTEM, " S");
            new_format(kind, ROM, " R");
        } else if (LPAE) {
            new_format(kind, UWXN, " UWXN");
        }
    }
    TABLE[0] |= 0x400;
    TABLE[1] |= 0x400;
    for (enum kind kind = SECTION; kind <= SMALL; kind++)
        new_format(kind, AFE, " AFE");
#endif
#if !V7
    mmu_off();
    SCTLR_WRITE(SCTLR_READ() & ~XP);
    mmu_on(0);
    static const enum kind old[] = {
#if V6
        SECTION, SUPERSECTION, LARGE, SMALL, EXTENDED,
#else
        SECTION, LARGE, SMALL, TINY, FINE_SMALL, FINE_LARGE,
#endif
    };
    for (u32 i = 0; i != ARRAY(old); i++) {
        old_format(old[i], 0, "");
        old_format(old[i], SYSTEM, " S");
        old_format(old[i], ROM, " R");
    }
    quarters(LARGE, 0x4000);
    quarters(SMALL, 0x400);
    if (!V6)
        quarters(TINY, 0x400);
#endif
    return 0;
}
