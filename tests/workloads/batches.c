// SPDX-License-Identifier: BSD-2-Clause
/*
 * A library as a framework is one: whose next_batch() the caller waits in. How: 's' asleep, 'c' computing, 'r' reading a pipe
 * that another thread of the process writes to (see marked.c), 'n' asleep in a marker of its own, 'j' asleep, then out of it by
 * longjmp, 'e' by the thread's end.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int batch_pipe = -1;
jmp_buf batch_jump;

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_s(double s)
{
	struct timespec t = { (time_t)s, (long)((s - (double)(time_t)s) * 1e9) };

	nanosleep(&t, NULL);
}

static void spin(double s)
{
	double end = now_s() + s;

	while (now_s() < end)
		;
}

void next_batch(double s, char how);

/* Not inlined, and no tail call: it is there to be called and to return. */
__attribute__((noinline)) void next_batch(double s, char how)
{
	char byte;

	switch (how) {
	case 'c':
		spin(s);
		break;
	case 'r':
		if (read(batch_pipe, &byte, 1) != 1)
			abort();
		break;
	case 'n':
		next_batch(s / 2, 's');
		pause_s(s / 2);
		break;
	case 'j':
		pause_s(s);
		longjmp(batch_jump, 1);
	case 'e':
		pause_s(s);
		pthread_exit(NULL);
	default:
		pause_s(s);
	}
	__asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void nothing(void)
{
	__asm__ volatile("");
}

/*
 * A call that takes no time. It begins with a push, as larger functions do: the kernel emulates that, where it would
 * have to single-step another instruction under a uprobe.
 */
void empty_batch(void);

__attribute__((noinline)) void empty_batch(void)
{
	nothing();
	__asm__ volatile("");
}
