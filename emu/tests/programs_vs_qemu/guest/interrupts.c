/* The interrupt controller (PL190, DDI 0181) and the timers (SP804, DDI 0271) with
 * interrupts that are taken: which come, in which order, and what registers hold
 * then. Moments are not compared. */

#include "program.h"

#define VIC ((volatile u32 *)0x10140000)
enum {
    IRQ_STATUS = 0, FIQ_STATUS, RAW, SELECT, ENABLE, DISABLE, SOFT, SOFT_CLEAR,
    VECTOR = 0x30 / 4, DEFAULT = 0x34 / 4, VECTORS = 0x100 / 4, CONTROLS = 0x200 / 4,
    SLOT_ON = 0x20,
};

/* Four timers: two of each chip. */
#define TIMER(number) ((volatile u32 *)(0x101e2000 + 0x1000 * ((number) >> 1) \
                                        + 0x20 * ((number) & 1)))
enum { LOAD, VALUE, CONTROL, CLEAR, MASKED_RAW, MASKED, BACKGROUND };
enum { ONE_SHOT = 1, WIDE = 2, BY_16 = 4, BY_256 = 8, INTERRUPTS = 0x20, PERIODIC = 0x40,
       ON = 0x80 };

void take_over(void);
u32 masks(u32 masks);

/* What happened, printed when nothing can interrupt. */
static struct { const char *what; u32 a, b; } log[64];
static volatile u32 logged;

static void note(const char *what, u32 a, u32 b)
{
    if (logged == ARRAY(log))
        return;
    log[logged].what = what;
    log[logged].a = a;
    log[logged++].b = b;
}

static void tell(const char *about)
{
    for (u32 i = 0; i != logged; i++) {
        text(about);
        text(": ");
        text(log[i].what);
        field("a", log[i].a);
        field("b", log[i].b);
        end();
    }
    text(about);
    text(": end");
    field("irq", VIC[IRQ_STATUS]);
    field("fiq", VIC[FIQ_STATUS]);
    field("raw", VIC[RAW]);
    end();
    logged = 0;
}

/* How many interrupts are still to come before main goes on, and what a handler of
 * one line does besides. */
static volatile u32 left;
static void (*action)(u32 line);

void on_irq(void)
{
    u32 status = VIC[IRQ_STATUS];
    void (*handler)(void) = (void *)VIC[VECTOR];

    note("irq", status, VIC[RAW]);
    if (handler)
        handler();
    else
        note("no handler", 0, 0);
    VIC[VECTOR] = 0;
}

void on_fiq(void)
{
    u32 status = VIC[FIQ_STATUS];

    note("fiq", status, VIC[RAW]);
    VIC[SOFT_CLEAR] = status;
    for (u32 i = 0; i != 4; i++)
        if (TIMER(i)[MASKED])
            TIMER(i)[CLEAR] = 0;
    left--;
}

static void soft(u32 line)
{
    note("handler of line", line, VIC[IRQ_STATUS]);
    VIC[SOFT_CLEAR] = 1 << line;
    if (action)
        action(line);
    note("handler ends", line, VIC[IRQ_STATUS]);
    left--;
}

static void soft_3(void) { soft(3); }
static void soft_7(void) { soft(7); }
static void soft_12(void) { soft(12); }

static void others(void)
{
    note("default handler", VIC[IRQ_STATUS], VIC[RAW]);
    VIC[SOFT_CLEAR] = VIC[IRQ_STATUS];
    left--;
}

static void on_timers(void)
{
    for (u32 i = 0; i != 4; i++)
        if (TIMER(i)[MASKED]) {
            note("timer", i, TIMER(i)[CONTROL]);
            if (TIMER(i)[CONTROL] & ONE_SHOT)
                note("one-shot", TIMER(i)[VALUE], TIMER(i)[LOAD]);
            TIMER(i)[CLEAR] = 0;
            note("cleared", TIMER(i)[MASKED_RAW], TIMER(i)[MASKED]);
        }
    left--;
}

static void slot(u32 number, u32 line, void (*handler)(void))
{
    VIC[VECTORS + number] = (u32)handler;
    VIC[CONTROLS + number] = handler ? SLOT_ON | line : 0;
}

static void quiet(void)
{
    VIC[DISABLE] = VIC[SOFT_CLEAR] = ~0u;
    VIC[SELECT] = 0;
    VIC[DEFAULT] = (u32)others;
    for (u32 i = 0; i != 16; i++)
        slot(i, 0, 0);
    for (u32 i = 0; i != 4; i++) {
        TIMER(i)[CONTROL] = 0;
        TIMER(i)[CLEAR] = 0;
    }
    action = 0;
}

/* Lets interrupts in until so many were handled, or none comes. */
static void let_in(u32 count)
{
    left = count;
    masks(0);
    for (volatile u32 i = 0; left && left <= count && i != 100000; i++)
        ;
    masks(OFF);
    if (left)
        note("never came", left, 0);
}

static void slots(u32 of_3, u32 of_7)
{
    quiet();
    slot(of_3, 3, soft_3);
    slot(of_7, 7, soft_7);
    VIC[ENABLE] = 1 << 3 | 1 << 7 | 1 << 12;
}

static void priorities(void)
{
    slots(0, 1);
    VIC[SOFT] = 1 << 3 | 1 << 7 | 1 << 12;
    let_in(3);
    tell("3 before 7 before those without a slot");
    slots(9, 2);
    VIC[SOFT] = 1 << 3 | 1 << 7 | 1 << 12;
    let_in(3);
    tell("7 before 3");
    slots(0, 1);
    VIC[CONTROLS] &= ~SLOT_ON;
    VIC[SOFT] = 1 << 3 | 1 << 7;
    let_in(2);
    tell("a slot that is off");
    slots(0, 1);
    VIC[DISABLE] = 1 << 3;
    VIC[SOFT] = 1 << 3;
    let_in(1);
    tell("a line that is off");
    VIC[ENABLE] = 1 << 3;
    let_in(1);
    tell("and on");
    slots(0, 1);
    VIC[DEFAULT] = (u32)soft_12;
    VIC[SOFT] = 1 << 12;
    let_in(1);
    tell("a handler of its own");
}

/* The vector address is that of a line that is let through. */
static void address(void)
{
    slots(0, 1);
    VIC[DISABLE] = 1 << 3;
    VIC[SOFT] = 1 << 3 | 1 << 7;
    note("address", VIC[VECTOR] == (u32)soft_7, VIC[IRQ_STATUS]);
    VIC[VECTOR] = 0;
    quiet();
    tell("a more important line that is off");
}

/* Raises the other line and lets interrupts in. */
static void nested(u32 line)
{
    if (VIC[RAW] >> 16)
        return;
    u32 other = line == 3 ? 7 : 3;
    VIC[SOFT] = 1 << other | 1 << 16;
    note("raised", other, VIC[IRQ_STATUS]);
    u32 before = masks(FIQ_OFF);
    for (volatile u32 i = 0; i != 1000; i++)
        ;
    masks(before);
    VIC[SOFT_CLEAR] = 1 << 16;
}

static void nesting(void)
{
    slots(1, 0);
    action = nested;
    VIC[SOFT] = 1 << 3;
    let_in(2);
    tell("the more important one interrupts");
    slots(1, 0);
    action = nested;
    VIC[SOFT] = 1 << 7;
    let_in(2);
    tell("the less important one waits");
}

static void fast(void)
{
    slots(0, 1);
    VIC[SELECT] = 1 << 7;
    VIC[SOFT] = 1 << 3 | 1 << 7;
    let_in(2);
    tell("fast before plain");
    slots(0, 1);
    VIC[SELECT] = 1 << 7;
    action = nested;
    VIC[SOFT] = 1 << 3;
    let_in(2);
    tell("fast within plain");
    slots(0, 1);
    VIC[SELECT] = 1 << 7;
    VIC[SOFT] = 1 << 7;
    left = 1;
    masks(FIQ_OFF);
    for (volatile u32 i = 0; i != 1000; i++)
        ;
    note("masked", left, VIC[FIQ_STATUS]);
    masks(OFF);
    let_in(1);
    tell("fast and masked");
}

static void timers(void)
{
    static const u32 modes[] = {
        ONE_SHOT | WIDE, ONE_SHOT, PERIODIC | WIDE, PERIODIC, PERIODIC | WIDE | BY_16,
        PERIODIC | BY_256, ONE_SHOT | WIDE | BY_16,
    };

    for (u32 timer = 0; timer != 4; timer++)
        for (u32 mode = 0; mode != ARRAY(modes); mode++) {
            quiet();
            slot(timer, 4 + (timer >> 1), on_timers);
            VIC[ENABLE] = 3 << 4;
            TIMER(timer)[LOAD] = 20;
            TIMER(timer)[CONTROL] = modes[mode] | INTERRUPTS | ON;
            let_in(modes[mode] & PERIODIC ? 4 : 1);
            TIMER(timer)[CONTROL] = 0;
            note("stopped", TIMER(timer)[LOAD], TIMER(timer)[BACKGROUND]);
            static const char *const names[] = { "timer 0", "timer 1", "timer 2", "timer 3" };
            tell(names[timer]);
        }
}

/* A free-running one starts from its load, and goes on from the top. */
static void wrapping(void)
{
    for (u32 mode = 0; mode != 2 * WIDE; mode += WIDE) {
        quiet();
        VIC[ENABLE] = 1 << 4;
        TIMER(0)[LOAD] = 20;
        TIMER(0)[CONTROL] = mode | INTERRUPTS | ON;
        for (volatile u32 i = 0; i != 10000; i++)
            ;
        note("wrapped", TIMER(0)[MASKED_RAW], TIMER(0)[VALUE] >> 12);
    }
    quiet();
    tell("free-running");
}

static void two_timers(void)
{
    quiet();
    slot(0, 4, on_timers);
    slot(1, 5, on_timers);
    VIC[ENABLE] = 3 << 4;
    TIMER(0)[LOAD] = 290;
    TIMER(2)[LOAD] = 1000;
    TIMER(0)[CONTROL] = PERIODIC | WIDE | INTERRUPTS | ON;
    TIMER(2)[CONTROL] = PERIODIC | WIDE | INTERRUPTS | ON;
    let_in(12);
    tell("two timers");
    quiet();
    slot(0, 4, on_timers);
    VIC[SELECT] = 1 << 5;
    VIC[ENABLE] = 3 << 4;
    TIMER(1)[LOAD] = 290;
    TIMER(3)[LOAD] = 1000;
    TIMER(1)[CONTROL] = PERIODIC | WIDE | INTERRUPTS | ON;
    TIMER(3)[CONTROL] = PERIODIC | WIDE | INTERRUPTS | ON;
    let_in(12);
    tell("two timers, one of them fast");
    quiet();
    slot(0, 4, on_timers);
    VIC[ENABLE] = 1 << 4;
    TIMER(0)[LOAD] = 200;
    TIMER(1)[LOAD] = 500;
    TIMER(0)[CONTROL] = PERIODIC | WIDE | INTERRUPTS | ON;
    TIMER(0)[BACKGROUND] = 700;
    TIMER(1)[CONTROL] = ONE_SHOT | WIDE | INTERRUPTS | ON;
    let_in(3);
    note("load", TIMER(0)[LOAD], TIMER(0)[BACKGROUND]);
    tell("a load for later");
    quiet();
    VIC[ENABLE] = 1 << 4;
    TIMER(0)[LOAD] = 50;
    TIMER(0)[CONTROL] = PERIODIC | WIDE | ON;
    let_in(1);
    note("raw", TIMER(0)[MASKED_RAW], TIMER(0)[MASKED]);
    slot(0, 4, on_timers);
    TIMER(0)[CONTROL] |= INTERRUPTS;
    let_in(1);
    tell("interrupts that are let through later");
}

static void wait(void)
{
#if V7
    __asm__ volatile("wfi" : : : "memory");
#else
    CP15_WRITE(0, c7, c0, 4, 0);
#endif
}

/* Waiting ends by an interrupt, whether it is taken or not. */
static void waiting(void)
{
    quiet();
    slot(0, 5, on_timers);
    VIC[ENABLE] = 1 << 5;
    TIMER(3)[LOAD] = 5000;
    TIMER(3)[CONTROL] = ONE_SHOT | WIDE | INTERRUPTS | ON;
    wait();
    note("woken, masked", VIC[IRQ_STATUS], TIMER(3)[MASKED]);
    let_in(1);
    TIMER(3)[LOAD] = 5000;
    TIMER(3)[CONTROL] = PERIODIC | WIDE | INTERRUPTS | ON;
    left = 3;
    masks(0);
    while (left)
        wait();
    masks(OFF);
    note("woken", VIC[RAW], 0);
    VIC[SELECT] = 1 << 5;
    left = 2;
    masks(0);
    while (left)
        wait();
    masks(OFF);
    quiet();
    tell("waiting");
}

int main(void)
{
    take_over();
    priorities();
    nesting();
    fast();
    timers();
    two_timers();
    waiting();
    address();
    wrapping();
    return 0;
}
