// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls next_batch() of a library (batches.c), and knows how long it was inside: the ground truth for input markers.
 *
 *   marked [-w] [-l SECONDS] [-m SECONDS] [-c] LIBRARY PLAN...
 *
 * A plan is one thread's list of HOW[SECONDS][xTIMES], separated by commas: HOW as next_batch() has it, or '-' a sleep and
 * '+' computing outside of it. "s0.05,+0.02x10" goes ten times through both. Plans run at the same time, the last one in the
 * first thread. 'w' writes to the pipe that 'r' reads; 'X' is exec of sleep(1); 'E' calls empty_batch() so many times. -l: that long before the library is mapped, -m: and after it; -w: first a line
 * "ready PID" and a wait for a line of stdin, before -l or else after mapping; -c: a forked child does all of it. Prints one line of JSON: its pid, the seconds during which at least one
 * thread was inside, and how long a call of empty_batch() took.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 16, MAX_STEPS = 16 };

struct step {
	char how;
	double s;
};

static void (*next_batch)(double s, char how);
static void (*empty_batch)(void);
static jmp_buf *jump;
static int writer;

/* Threads inside, and for how long there was any. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int inside;
static double since_s, total_s;

/* How long a call of empty_batch() took. */
static double call_ns;

static void fail(const char *what)
{
	fprintf(stderr, "marked: %s: %s\n", what, strerror(errno));
	exit(1);
}

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

static void enter(void)
{
	pthread_mutex_lock(&lock);
	if (!inside++)
		since_s = now_s();
	pthread_mutex_unlock(&lock);
}

static void leave(void)
{
	pthread_mutex_lock(&lock);
	if (!--inside)
		total_s += now_s() - since_s;
	pthread_mutex_unlock(&lock);
}

static void leave_at_end(void *unused)
{
	(void)unused;
	leave();
}

static void call(struct step step)
{
	/* The thread may end in there. */
	pthread_cleanup_push(leave_at_end, NULL);
	enter();
	if (step.how != 'j' || !setjmp(*jump))
		next_batch(step.s, step.how);
	pthread_cleanup_pop(1);
}

static void do_step(struct step step)
{
	double end = now_s() + step.s;

	if (step.how == '-') {
		pause_s(step.s);
	} else if (step.how == '+') {
		while (now_s() < end)
			;
	} else if (step.how == 'w') {
		/* For a thread that reads. */
		pause_s(step.s);
		if (write(writer, "x", 1) != 1)
			fail("write");
	} else if (step.how == 'X') {
		char text[32];

		snprintf(text, sizeof(text), "%f", step.s);
		execl("/bin/sleep", "sleep", text, NULL);
		fail("exec");
	} else if (step.how == 'E') {
		end = now_s();
		for (int i = 0; i < (int)step.s; i++)
			empty_batch();
		call_ns = (now_s() - end) / step.s * 1e9;
	} else {
		call(step);
	}
}

static void *run_plan(void *argument)
{
	char *plan = argument, *at, *x = strchr(plan, 'x');
	struct step steps[MAX_STEPS];
	int count = 0, times = x ? atoi(x + 1) : 1;

	if (x)
		*x = '\0';
	for (at = strtok_r(plan, ",", &x); at && count < MAX_STEPS; at = strtok_r(NULL, ",", &x))
		steps[count++] = (struct step){ at[0], atof(at + 1) };
	for (int i = 0; i < times; i++)
		for (int k = 0; k < count; k++)
			do_step(steps[k]);
	return NULL;
}

static void map_library(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);
	int ends[2];

	if (!library) {
		fprintf(stderr, "marked: %s\n", dlerror());
		exit(1);
	}
	*(void **)&next_batch = dlsym(library, "next_batch");
	*(void **)&empty_batch = dlsym(library, "empty_batch");
	jump = dlsym(library, "batch_jump");
	if (!next_batch || !empty_batch || !jump || pipe(ends))
		fail(path);
	*(int *)dlsym(library, "batch_pipe") = ends[0];
	writer = ends[1];
}

static void run_plans(char **plans, int count)
{
	pthread_t threads[MAX_THREADS];

	for (int i = 0; i + 1 < count; i++)
		if (pthread_create(&threads[i], NULL, run_plan, plans[i]))
			fail("pthread_create");
	run_plan(plans[count - 1]);
	for (int i = 0; i + 1 < count; i++)
		pthread_join(threads[i], NULL);
	printf("{\"pid\": %d, \"inside_s\": %.9f, \"call_ns\": %.1f}\n", getpid(), total_s,
	       call_ns);
	fflush(stdout);
}

/* Asleep for times: until it has called a marker, a wait for a pipe would count as one for input. */
static void wait_for_line(void)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };

	printf("ready %d\n", getpid());
	fflush(stdout);
	while (poll(&in, 1, 0) == 0)
		pause_s(0.001);
}

int main(int argc, char **argv)
{
	int option, waits = 0, forks = 0;
	double before_s = 0, after_s = 0;

	while ((option = getopt(argc, argv, "+wcl:m:")) != -1)
		if (option == 'w')
			waits = 1;
		else if (option == 'c')
			forks = 1;
		else if (option == 'l')
			before_s = atof(optarg);
		else if (option == 'm')
			after_s = atof(optarg);
		else
			return 64;
	if (argc - optind < 2 || argc - optind - 1 > MAX_THREADS)
		return 64;
	if (forks && fork()) {
		wait(NULL);
		return 0;
	}
	if (waits && before_s > 0)
		wait_for_line();
	pause_s(before_s);
	map_library(argv[optind]);
	if (waits && before_s == 0)
		wait_for_line();
	pause_s(after_s);
	run_plans(argv + optind + 1, argc - optind - 1);
	return 0;
}
