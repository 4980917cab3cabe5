/* Code that changes under the processor: by the address that it runs at, by another
 * one, by itself, across pages and in turns with data. Each change is followed by
 * what the architecture asks for (DDI 0406C A3.5.4, B2.2.9). */

#include "program.h"

/* The same memory at three addresses, at the third one not to be executed where
 * there is such a thing; the memory itself is privileged. */
#define FIRST 0x40000000u
#define OTHER 0x40100000u
#define NEVER 0x40200000u
#define MEMORY 0x02000000u
enum { XP = 1 << 23 };

typedef u32 function(u32);

/* mov r0, #value; bx lr */
static void put(u32 at, u32 value)
{
    *(volatile u32 *)at = 0xe3a00000 | (value & 0xff);
    *(volatile u32 *)(at + 4) = 0xe12fff1e;
}

static u32 call(u32 at)
{
    return ((function *)at)(0);
}

static void say(const char *about, u32 value)
{
    text(about);
    text(":");
    field("returned", value);
    end();
}

/* One word after the other is changed by way of another address. */
static void aliases(const char *about, u32 run_at, u32 write_at)
{
    for (u32 i = 0; i != 16; i++)
        put(write_at + 8 * i, i);
    sync_code();
    for (u32 turn = 0; turn != 40; turn++) {
        u32 sum = 0;
        for (u32 i = 0; i != 16; i++)
            sum = sum * 3 + call(run_at + 8 * i);
        say(about, sum);
        for (u32 i = 0; i != 16; i++)
            *(volatile u8 *)(write_at + 8 * i) = turn + i;
        sync_code();
    }
}

/* The store that changes the next but one instruction is in the same page. */
static void by_itself(u32 at)
{
    static const u32 code[] = {
        0xe59f1018,     /* ldr r1, [pc, #24] */
        0xe58f1008,     /* str r1, [pc, #8] */
        0xe3a02000,     /* mov r2, #0 */
        0xee072f15,     /* mcr p15, 0, r2, c7, c5, 0 */
#if V6
        0xee072f95,     /* mcr p15, 0, r2, c7, c5, 4 */
#else
        0xeaffffff,     /* b to the next one */
#endif
        0xe3a00001,     /* mov r0, #1: becomes 0xe3a00055 */
        0xe12fff1e,     /* bx lr */
        0,
        0xe3a00055,
    };

    for (u32 turn = 0; turn != 3; turn++) {
        for (u32 i = 0; i != ARRAY(code); i++)
            ((volatile u32 *)at)[i] = code[i];
        ((volatile u32 *)at)[8] = code[8] + turn;
        sync_code();
        say("by itself", call(at));
        say("by itself, again", call(at));
    }
}

/* A function of two pages, of which the second one is changed. */
static void across_pages(u32 run_at, u32 write_at)
{
    u32 end = 0x2000;

    *(volatile u32 *)(write_at + end - 8) = 0xe3a00001;     /* mov r0, #1 */
    *(volatile u32 *)(write_at + end - 4) = 0xe2800002;     /* add r0, r0, #2 */
    *(volatile u32 *)(write_at + end) = 0xe2800010;         /* add r0, r0, #16 */
    *(volatile u32 *)(write_at + end + 4) = 0xe12fff1e;
    sync_code();
    for (u32 turn = 0; turn != 24; turn++) {
        say("across pages", call(run_at + end - 8));
        *(volatile u32 *)(write_at + end) = 0xe2800010 + turn;
        if (turn % 3 == 0)
            *(volatile u32 *)(write_at + end - 4) = 0xe2800040 + turn;
        sync_code();
    }
}

/* Stores of every size. */
static void sizes(u32 run_at, u32 write_at)
{
    put(write_at, 0);
    sync_code();
    say("before", call(run_at));
    *(volatile u8 *)write_at = 0x11;
    sync_code();
    say("byte", call(run_at));
    *(volatile u16 *)write_at = 0x0022;
    sync_code();
    say("halfword", call(run_at));
    __asm__ volatile("stmia %0, {%1, %2}" : : "r"(write_at), "r"(0xe3a00033), "r"(0xe12fff1e)
                     : "memory");
    sync_code();
    say("many", call(run_at));
    register u32 low __asm__("r2") = 0xe3a00044;
    register u32 high __asm__("r3") = 0xe12fff1e;
    __asm__ volatile("strd r2, r3, [%0]" : : "r"(write_at), "r"(low), "r"(high) : "memory");
    sync_code();
    say("doubleword", call(run_at));
}

/* Thumb code: movs r0, #value; bx lr. */
static void thumb(u32 run_at, u32 write_at)
{
    *(volatile u16 *)(write_at + 2) = 0x4770;
    for (u32 turn = 0; turn != 20; turn++) {
        *(volatile u16 *)write_at = 0x2000 + turn;
        sync_code();
        say("Thumb", call(run_at + 1));
        /* The same bytes as data, and as ARM code. */
        *(volatile u32 *)write_at = 0xe3a00080 + turn;
        *(volatile u32 *)(write_at + 4) = 0xe12fff1e;
        sync_code();
        say("ARM", call(run_at));
        *(volatile u16 *)(write_at + 2) = 0x4770;
    }
}

/* User mode runs what a privileged mode writes. */
static void in_user_mode(u32 run_at, u32 write_at)
{
    for (u32 turn = 0; turn != 24; turn++) {
        *(volatile u32 *)write_at = 0xe3a00000 + turn;
        *(volatile u32 *)(write_at + 4) = 0xef000000;
        sync_code();
        struct frame frame = { .pc = run_at, .cpsr = USR | OFF };
        run(&frame);
        say("user mode", outcome.r[0]);
    }
}

static void all(u32 run_at, u32 write_at)
{
    field("run at", run_at);
    field("written at", write_at);
    end();
    aliases("aliases", run_at, write_at);
    across_pages(run_at, write_at);
    sizes(run_at + 0x40, write_at + 0x40);
    thumb(run_at + 0x80, write_at + 0x80);
    by_itself(run_at + 0x3000);
}

int main(void)
{
    all(MEMORY, MEMORY);
    map_program(SECTION_ALL);
    TABLE[0x020] = MEMORY | SECTION_PRIVILEGED;
    TABLE[FIRST >> 20] = MEMORY | SECTION_ALL;
    TABLE[OTHER >> 20] = MEMORY | SECTION_ALL;
    TABLE[NEVER >> 20] = MEMORY | SECTION_ALL | (V6 ? 1 << 4 : 0);
    mmu_on(V6 && !V7 ? XP : 0);
    all(FIRST, FIRST);
    all(FIRST, OTHER);
    all(FIRST, NEVER);
    all(OTHER, MEMORY);
    in_user_mode(FIRST + 0x4000, FIRST + 0x4000);
    in_user_mode(FIRST + 0x5000, NEVER + 0x5000);
    in_user_mode(FIRST + 0x6000, MEMORY + 0x6000);
    /* And still it cannot be executed where it was written. */
    if (V6) {
        struct frame frame = { .pc = NEVER + 0x5000, .cpsr = USR | OFF };
        run(&frame);
        text(vector_name(outcome.vector));
        end();
    }
    return 0;
}
