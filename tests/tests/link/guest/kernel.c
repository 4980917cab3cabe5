/* The part of a kernel that the test driver calls. */

int kernel_counter = 40;

int kernel_add(int a, int b)
{
	return a + b;
}

int kernel_subtract(int a, int b)
{
	return a - b;
}

/* Calls back into the driver: in whatever instruction set that is. */
int kernel_apply(int (*function)(int), int argument)
{
	kernel_counter++;
	return function(argument) + 1;
}

unsigned kernel_divide(unsigned a, unsigned b)
{
	return a / b;
}

void *memcpy(void *to, const void *from, unsigned long n)
{
	char *a = to;
	const char *b = from;

	while (n--)
		*a++ = *b++;
	return to;
}

void *memset(void *to, int value, unsigned long n)
{
	char *a = to;

	while (n--)
		*a++ = (char)value;
	return to;
}
