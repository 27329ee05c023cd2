/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 32-bit program, for x86-64 alone: sleeps for half a second in steps. Without a C library, which build hosts do not have
 * for 32 bits.
 */
enum { NR_EXIT = 1, NR_NANOSLEEP = 162, STEPS = 10 };

struct time32 {
	int seconds, ns;
};

static int call(int number, const void *first, const void *second)
{
	int result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second)
			 : "memory");
	return result;
}

void _start(void)
{
	static const struct time32 step = { .ns = 50000000 };

	for (int i = 0; i < STEPS; i++)
		if (call(NR_NANOSLEEP, &step, 0))
			call(NR_EXIT, (void *)1, 0);
	call(NR_EXIT, 0, 0);
}
