// SPDX-License-Identifier: BSD-2-Clause
/*
 * Threads that wait for one another's mutexes, for ever: thread i has mutex i and waits for the next one.
 *
 *   lock_cycle THREADS | robust | ended
 *
 * `robust`: two, whose mutexes are robust; `ended`: one waits for the mutex of a thread that has ended. Writes
 * "ready PID", reads a line, and writes "thread TID" for each.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 16 };

static pthread_mutex_t mutexes[MOST];
static pthread_barrier_t barrier;
static int count;

static void *wait_for_next(void *argument)
{
	int i = (int)(long)argument;

	pthread_mutex_lock(&mutexes[i]);
	printf("thread %d\n", gettid());
	fflush(stdout);
	pthread_barrier_wait(&barrier);
	pthread_mutex_lock(&mutexes[(i + 1) % count]);
	return NULL;
}

static void *lock_and_end(void *argument)
{
	(void)argument;
	printf("thread %d\n", gettid());
	fflush(stdout);
	pthread_mutex_lock(&mutexes[0]);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[MOST];
	pthread_mutexattr_t attributes;
	int ended = argc == 2 && strcmp(argv[1], "ended") == 0;
	int robust = argc == 2 && strcmp(argv[1], "robust") == 0;

	count = argc != 2 ? 0 : ended ? 1 : robust ? 2 : atoi(argv[1]);
	if (count < 1 || count > MOST)
		return 64;
	pthread_mutexattr_init(&attributes);
	if (robust)
		pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	for (int i = 0; i < count; i++)
		pthread_mutex_init(&mutexes[i], &attributes);
	pthread_barrier_init(&barrier, NULL, (unsigned int)count);
	printf("ready %d\n", getpid());
	fflush(stdout);
	getchar();
	for (long i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, ended ? lock_and_end : wait_for_next, (void *)i);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	if (ended)
		pthread_mutex_lock(&mutexes[0]);
	return 0;
}
