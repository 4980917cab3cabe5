/* Pieces of code that the host makes (streams.rs), and check sums of what they leave. */

struct piece {
    u32 code[4], end;
};
extern const struct piece arm_pieces[], arm_pieces_end[], thumb_pieces[], thumb_pieces_end[],
    vector_pieces[], vector_pieces_end[];

void sum_start(void);
void add(u32 word);

/* Runs each piece by `one` and prints the sums, eight in a line, and how many of the
 * pieces came to their end. `thumb` is a bit of the status. */
typedef void one(const struct piece *piece, u32 thumb, int vectors);
void all(one *one);

/* Of vectors_on.S. */
void vector_on(void);
void vector_load(const u64 *doubles, u32 fpscr);
u32 vector_store(u64 *doubles);
