/* Accesses of each kind to an address: see access.h. */

#include "program.h"
#include "access.h"

void read_piece(void);
void write_piece(void);

void fill_target(u32 bytes)
{
    for (u32 at = 0; at != bytes; at += 4)
        *(volatile u32 *)(TARGET + at) = SVC_WORD;
    sync_code();
}

void attempt(enum access access, u32 mode, u32 address)
{
    struct frame frame = { .r = { address, 0, SVC_WORD }, .cpsr = mode | OFF };

    frame.pc = access == READ ? (u32)read_piece
             : access == WRITE ? (u32)write_piece : address;
    run(&frame);
}

void show_attempt(u32 address)
{
    u32 data = outcome.vector == 0x10;

    text(" ");
    if (outcome.vector == 0x08) {
        text("ok");
        return;
    }
    if (!data && outcome.vector != 0x0c) {
        text(vector_name(outcome.vector));
        return;
    }
    /* QEMU has the domain in IFSR too: see permissions.c. */
    digits(data ? outcome.dfsr : outcome.ifsr & ~0xf0, 3);
#if V7
    u32 found = data ? outcome.dfar : outcome.ifar;
#else
    u32 found = data ? outcome.dfar : outcome.r[14] - 4;
#endif
    if (found != address)
        field("far", found);
}

void attempt_all(u32 address)
{
    for (u32 user = 0; user != 2; user++)
        for (enum access access = READ; access <= FETCH; access++) {
            attempt(access, user ? USR : SYS, address);
            show_attempt(address);
        }
}
