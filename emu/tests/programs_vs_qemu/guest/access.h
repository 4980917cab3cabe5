/* Accesses of each kind to an address, and what becomes of them. */

enum access { READ, WRITE, FETCH };

/* Tries one in a mode, with the pieces of access.S. What is fetched or written is
 * SVC_WORD, which has to be there. */
void attempt(enum access access, u32 mode, u32 address);

/* Tries all three in a privileged mode and in user mode and prints what the six
 * come to: "ok", or the fault status, with the fault address when it is not the
 * address. */
void attempt_all(u32 address);

/* What the last attempt came to. */
void show_attempt(u32 address);

#define SVC_WORD 0xef000000u

/* Memory whose every word is SVC_WORD, 16 MiB apart from what is below. */
#define TARGET 0x02000000u
void fill_target(u32 bytes);
