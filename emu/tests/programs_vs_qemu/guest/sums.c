/* Check sums of what pieces of code leave: see pieces.h. */

#include "program.h"
#include "pieces.h"

static u32 sum;

void sum_start(void)
{
    sum = 0;
}

void add(u32 word)
{
    sum = digest(sum, word);
}

static void table(const char *name, const struct piece *piece, const struct piece *last,
                  one *one, u32 thumb, int vectors)
{
    u32 through = 0;

    for (u32 i = 0; piece != last; piece++, i++) {
        if (i % 8 == 0) {
            if (i)
                end();
            text(name);
            text(" ");
            number(i);
            text(":");
        }
        one(piece, thumb, vectors);
        through += outcome.vector == 0x08;
        text(" ");
        hex(sum);
    }
    end();
    text(name);
    text(":");
    field("through", through);
    end();
}

void all(one *one)
{
    table("ARM", arm_pieces, arm_pieces_end, one, 0, 0);
    table("Thumb", thumb_pieces, thumb_pieces_end, one, THUMB, 0);
    table("vector", vector_pieces, vector_pieces_end, one, 0, 1);
}
