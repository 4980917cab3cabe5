/* For tables of pieces that two modes are enough for: user mode and another one. */

#include "program.h"

u32 how_many_modes = 2;
