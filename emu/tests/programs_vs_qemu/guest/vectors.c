/* Switches floating point on for vectors.S. */

#include "program.h"

void vector_on(void);
u32 how_many_modes = 1;

const char *prepare(u32 pass)
{
    vector_on();
    return pass ? 0 : "";
}
