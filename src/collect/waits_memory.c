// SPDX-License-Identifier: BSD-2-Clause
/* What a call was given by address: the word of a futex, descriptors to poll, a path. Any of it may be nonsense. */
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "collect/waits.h"

enum { MOST_POLLED = 64, MOST_PID = 4194304, MOST_MUTEX_USERS = 4096 };

static ssize_t read_at(const struct wait_thread *thread, uint64_t address, void *out, size_t size)
{
	struct iovec to = { .iov_base = out, .iov_len = size };
	struct iovec from = { .iov_base = (void *)(uintptr_t)address, .iov_len = size };

	return process_vm_readv(thread->pid, &to, 1, &from, 1, 0);
}

/* A thread of the same process, by the ID that the process knows it by. */
static const struct wait_thread *find_sibling(const struct waits *waits,
					      const struct wait_thread *thread, pid_t namespace_tid)
{
	for (size_t i = 0; i < waits->thread_count; i++) {
		const struct wait_thread *other = &waits->threads[i];

		if (other->known && other->pid == thread->pid &&
		    other->namespace_tid == namespace_tid)
			return other;
	}
	return NULL;
}

/* struct __pthread_mutex_s: lock, count, owner, users, kind. */
pid_t waits_mutex_owner(const uint32_t words[MUTEX_WORDS])
{
	const uint32_t contended = 2, kinds = 3, flags = 0x80 | 0x100 | 0x200; /* shared, elision */
	uint32_t owner = words[2];

	if (words[0] != contended || !owner || owner > MOST_PID || !words[3] ||
	    words[3] > MOST_MUTEX_USERS || words[4] & ~(kinds | flags))
		return 0;
	return (pid_t)owner;
}

static void take_owner(const struct waits *waits, struct wait_thread *thread, pid_t owner,
		       bool gone_is_sure)
{
	const struct wait_thread *holder = find_sibling(waits, thread, owner);

	if (holder == thread && thread->kind == WAIT_JOIN)
		return;
	if (holder) {
		thread->ends = ENDS_THREAD;
		thread->waker = holder->tid;
	} else if (gone_is_sure && thread->argument[1] & FUTEX_PRIVATE_FLAG &&
		   waits->thread_count < WAITS_MOST_THREADS) {
		thread->ends = ENDS_THREAD;
		thread->waker = owner;
		thread->waker_gone = true;
	}
}

static void read_futex(const struct waits *waits, struct wait_thread *thread)
{
	uint32_t words[MUTEX_WORDS] = { 0 };
	const uint32_t command = (uint32_t)thread->argument[1] & FUTEX_CMD_MASK;
	const uint32_t value = (uint32_t)thread->argument[2];
	ssize_t n = read_at(thread, thread->argument[0], words, sizeof(words));
	pid_t owner;

	if (n < (ssize_t)sizeof(words[0]))
		return;
	owner = (pid_t)(words[0] & FUTEX_TID_MASK);
	if (command == FUTEX_LOCK_PI || command == 13 /* FUTEX_LOCK_PI2 */) {
		thread->kind = WAIT_MUTEX;
		take_owner(waits, thread, owner, true);
	} else if (command != FUTEX_WAIT && command != FUTEX_WAIT_BITSET) {
		return;
	} else if (words[0] == value && words[0] == (uint32_t)owner &&
		   find_sibling(waits, thread, owner)) {
		thread->kind = WAIT_JOIN; /* pthread_join(): the word is cleared when it ends */
		take_owner(waits, thread, owner, false);
	} else if (words[0] & FUTEX_WAITERS && find_sibling(waits, thread, owner)) {
		thread->kind = WAIT_MUTEX; /* robust */
		take_owner(waits, thread, owner, false);
	} else if (n == sizeof(words) && words[0] == value && waits_mutex_owner(words)) {
		/* What is no mutex may look like one; a thread that is no sibling may be one of before a fork. */
		take_owner(waits, thread, waits_mutex_owner(words), false);
		if (thread->ends == ENDS_THREAD)
			thread->kind = WAIT_MUTEX;
	}
	if (thread->argument[3] && thread->ends != ENDS_THREAD)
		thread->ends |= ENDS_LIMIT;
}

static bool is_poll(int call)
{
#ifdef SYS_poll
	if (call == SYS_poll)
		return true;
#endif
	return call == SYS_ppoll;
}

static bool is_select(int call)
{
#ifdef SYS_select
	if (call == SYS_select)
		return true;
#endif
	return call == SYS_pselect6;
}

static bool has_limit(const struct wait_thread *thread)
{
#ifdef SYS_poll
	if (thread->call == SYS_poll)
		return (int)thread->argument[2] >= 0;
#endif
	return thread->argument[is_select(thread->call) ? 4 : 2] != 0;
}

static void read_poll(struct wait_thread *thread)
{
	struct pollfd fds[MOST_POLLED];
	uint64_t count = thread->argument[1];

	thread->kind = WAIT_POLL;
	thread->ends = 0;
	if (count > MOST_POLLED) {
		thread->ends = ENDS_JOB | ENDS_OUTSIDE;
		return;
	}
	if (!count) {
		thread->kind = WAIT_TIMER;
		thread->ends = ENDS_TIME;
		return;
	}
	if (read_at(thread, thread->argument[0], fds, count * sizeof(fds[0])) !=
	    (ssize_t)(count * sizeof(fds[0]))) {
		thread->ends = ENDS_JOB;
		return;
	}
	for (uint64_t i = 0; i < count; i++)
		if (fds[i].fd >= 0)
			waits_take_fd(thread, (unsigned int)fds[i].fd);
}

/* Those to be read or written; exceptions end nothing that is waited for here. */
static void read_select(struct wait_thread *thread)
{
	uint64_t sets[2] = { 0 };
	bool any = false;

	thread->kind = WAIT_POLL;
	thread->ends = 0;
	if (thread->argument[0] > 64) {
		thread->ends = ENDS_JOB | ENDS_OUTSIDE;
		return;
	}
	for (int i = 0; i < 2; i++)
		if (thread->argument[1 + i])
			read_at(thread, thread->argument[1 + i], &sets[i], sizeof(sets[i]));
	for (unsigned int fd = 0; fd < thread->argument[0]; fd++) {
		if (!((sets[0] | sets[1]) >> fd & 1))
			continue;
		waits_take_fd(thread, fd);
		any = true;
	}
	if (!any) {
		thread->kind = WAIT_TIMER;
		thread->ends = ENDS_TIME;
	}
}

static void read_path(struct wait_thread *thread)
{
	bool at = thread->call == SYS_openat || thread->call == SYS_newfstatat ||
		  thread->call == SYS_statx || thread->call == SYS_faccessat ||
		  thread->call == SYS_readlinkat || thread->call == SYS_unlinkat ||
		  thread->call == SYS_mkdirat;
	char path[WAIT_OBJECT_LEN];
	uint64_t address = thread->argument[at];
	/* Not beyond its page, which may be the last one. */
	size_t left = 4096 - address % 4096,
	       size = left < sizeof(path) - 1 ? left : sizeof(path) - 1;
	ssize_t n = read_at(thread, address, path, size);

	if (n <= 0)
		return;
	path[n] = '\0';
	memcpy(thread->object, path, strlen(path) + 1);
}

void waits_read_memory(struct waits *waits)
{
	for (size_t i = 0; i < waits->thread_count; i++) {
		struct wait_thread *thread = &waits->threads[i];

		if (!thread->known || thread->kind == WAIT_RUNNING || thread->call < 0)
			continue;
		if (thread->kind == WAIT_FUTEX)
			read_futex(waits, thread);
		else if (is_poll(thread->call) || is_select(thread->call)) {
			if (is_poll(thread->call))
				read_poll(thread);
			else
				read_select(thread);
			thread->polls = true;
			if (has_limit(thread))
				thread->ends |= ENDS_LIMIT;
		} else if (thread->kind == WAIT_FILE && !thread->object[0])
			read_path(thread);
	}
}
