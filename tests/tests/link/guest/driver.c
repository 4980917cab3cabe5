/*
 * A driver in C that uses what C drivers use. Its result has a bit set for
 * every check that held.
 */
#include "ecmo.h"

#define NOINLINE __attribute__((noinline))
#define CHECKS 22

/* Plain calls: ecmo-link makes veneers. */
extern int kernel_add(int a, int b);
extern int kernel_apply(int (*function)(int), int argument);
extern unsigned kernel_divide(unsigned a, unsigned b);
extern int kernel_counter;
extern int absent(int) __attribute__((weak));
extern void *memcpy(void *to, const void *from, unsigned long n);

ECMO_BACKWARD(ECMO_REQUIRED, int, subtract, (int a, int b),
	      "kernel_minus|kernel_subtract", "", "guest/kernel.c");
ECMO_BACKWARD(ECMO_OPTIONAL, int, nothing, (void), "nothing", "", "");
ECMO_VARIABLE(ECMO_REQUIRED, int, counter, "kernel_counter", "", "");
ECMO_LAYOUT(ECMO_REQUIRED, irq, "irq_data.irq");
ECMO_LAYOUT(ECMO_OPTIONAL, unknown, "irq_data.unknown");
ECMO_CONSTANT(ECMO_REQUIRED, noprobe, "IRQ_NOPROBE");
ECMO_CHIP(ECMO_REQUIRED, clock, "sp804.clock_hz");
ECMO_CHIP(ECMO_REQUIRED, uart, "uart16550.va");
/* Nothing uses it, so that nothing asks for it. */
ECMO_BACKWARD(ECMO_REQUIRED, int, unused, (void), "not_there", "", "");

struct operation {
	const char *name;
	int (*run)(int);
};

static int ready;
static int table[16];
static int seed = 7;
static int *pointer = &seed;
int common_block[8] __attribute__((common));

static NOINLINE int twice(int x)
{
	return x * 2;
}

static NOINLINE int squared(int x)
{
	return x * x;
}

int visible(int x)
{
	return x + seed;
}

static const struct operation operations[] = {
	{ "twice", twice },
	{ "squared", squared },
	{ "visible", visible },
};

static NOINLINE int chosen(int which, int x)
{
	switch (which) {
	case 0: return x + 11;
	case 1: return x - 22;
	case 2: return x * 3;
	case 3: return x ^ 0x55;
	case 4: return x << 4;
	case 5: return x >> 1;
	case 6: return ~x;
	default: return 0;
	}
}

static NOINLINE int length(const char *text)
{
	int n = 0;

	while (text[n])
		n++;
	return n;
}

static NOINLINE int fibonacci(int n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

/* A tail call, which is a plain branch and no call. */
static NOINLINE int tail(int a, int b)
{
	return kernel_add(a, b);
}

static unsigned start(void)
{
	unsigned ok = 0;
	int copy[4] = { 0, 0, 0, 0 };
	int i;

#define CHECK(bit, condition)                   \
	do {                                    \
		if (condition)                  \
			ok |= 1u << (bit);      \
	} while (0)
	CHECK(0, kernel_add(40, 2) == 42);
	CHECK(1, kernel_counter == 40);
	CHECK(2, kernel_apply(twice, 20) == 41);
	CHECK(3, kernel_apply(operations[1].run, 6) == 37);
	CHECK(4, *ecmo_value(counter) == 42);
	CHECK(5, ecmo_call(subtract)(44, 2) == 42);
	CHECK(6, !ecmo_has(nothing) && ecmo_has(subtract));
	CHECK(7, ecmo_value(irq) == 4 && ecmo_known(irq));
	CHECK(8, !ecmo_known(unknown));
	CHECK(9, ecmo_value(noprobe) == 0x400);
	CHECK(10, ecmo_value(clock) == 1000000);
	CHECK(11, ecmo_value(uart) == 0xd0017000);
	CHECK(12, length(operations[0].name) == 5 && length(operations[2].name) == 7);
	CHECK(13, operations[2].run(1) == 8 && visible(2) == 9);
	CHECK(14, *pointer == 7 && ready == 0);
	for (i = 0; i < 16; i++)
		table[i] = chosen(i & 7, i);
	CHECK(15, table[0] == 11 && table[1] == -21 && table[2] == 6 && table[7] == 0);
	CHECK(16, table[11] == (11 ^ 0x55) && table[12] == 192 && table[14] == ~14);
	memcpy(copy, table, sizeof(copy));
	CHECK(17, copy[3] == (3 ^ 0x55) && copy[0] == 11);
	CHECK(18, fibonacci(12) == 144);
	CHECK(19, tail(3, 4) == 7);
	CHECK(20, kernel_divide(1000, 7) == 142);
	common_block[7] = 5;
	ready = 1;
	CHECK(21, absent == 0 && common_block[7] == 5 && ready == 1);
	return ok;
}
ECMO_FORWARD(ECMO_REQUIRED, "machine_desc.init_irq", start, "", "unsigned (void)");
