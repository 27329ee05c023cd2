/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each thread of a silent job waits for, and who could end that: facts read from /proc, from futexes in the memory of the
 * processes, and from the kernel's table of UNIX sockets. All of it is an untrusted job's, and some of it (memory whose lock
 * is held for ever) never answers: it is read by a child with a deadline, into memory that both share.
 */
#ifndef WHYSTALL_COLLECT_WAITS_H
#define WHYSTALL_COLLECT_WAITS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi.h"

struct apart;

enum {
	WAITS_MOST_THREADS = 4096,
	WAITS_MOST_HOLDERS = 16384,
	WAITS_MOST_GONE = 64,
	WAIT_OBJECT_LEN = 256,
	WAIT_INODES = 8,
};

/* What is waited for. */
enum wait_kind {
	WAIT_UNKNOWN,
	WAIT_RUNNING,
	WAIT_FUTEX, /* whose owner cannot be known */
	WAIT_MUTEX,
	WAIT_JOIN, /* the end of a thread */
	WAIT_PIPE,
	WAIT_SOCKET, /* UNIX */
	WAIT_POLL,   /* several descriptors */
	WAIT_FILE,
	WAIT_CHILD,
	WAIT_FILE_LOCK,
	WAIT_TIMER,
	WAIT_OUTSIDE, /* the network, a terminal, a signal, a device */
	WAIT_KINDS_COUNT,
};

/* Who could end it; several may hold. */
enum wait_enders {
	ENDS_THREAD = 1,  /* `waker` */
	ENDS_PROCESS = 2, /* any thread of process `waker` */
	ENDS_HOLDERS = 4, /* processes that hold one of `inodes` */
	ENDS_OWN = 8,     /* other threads of its process */
	ENDS_CHILDREN = 16,
	ENDS_JOB = 32, /* not known: any other thread of the job */
	ENDS_OUTSIDE = 64,
	ENDS_TIME = 128,
	ENDS_LIMIT = 512,  /* beside others: it was given a time limit */
	ENDS_CALLER = 256, /* whoever connects to its UNIX socket */
};

/* So a process holds the inode of a pipe, or of a UNIX socket's other end. */
enum wait_mode { HOLDS_READER = 1, HOLDS_WRITER = 2 };

struct wait_inode {
	uint64_t inode;
	uint32_t modes; /* any of these can end the wait */
	bool socket;    /* its own end: the other one has not been looked up */
};

struct wait_thread {
	/* By whoever asks. */
	pid_t pid, tid, ppid;
	char comm[COMM_LEN + 1];
	enum ledger_state class;
	uint64_t asleep_ns;
	bool idle_timer; /* its sleeps by time change nothing */

	/* By waits_read(). */
	bool known; /* it was there */
	char state; /* as in /proc/PID/status */
	pid_t namespace_tid;
	int call; /* number of the system call, -1: none */
	uint64_t argument[6];
	enum wait_kind kind;
	unsigned int ends; /* enum wait_enders */
	pid_t waker;
	bool waker_gone; /* the thread that owns the mutex has ended */
	bool polls;      /* it waits for one of several, or until a signal's handler writes */
	struct wait_inode inodes[WAIT_INODES];
	size_t inode_count;
	char object[WAIT_OBJECT_LEN]; /* a path, or "pipe:[123]", "futex 0x7f..." */
	char mount[WAIT_OBJECT_LEN];  /* of a file; "" where that is not known */
	char file_system[32];         /* its type */
	unsigned int mount_major,
		mount_minor; /* its device number; of FUSE the minor is that of its connection */
	bool storage_moves; /* its disk, or any where that is not known, ends requests; never of a remote one */
};

static inline bool wait_is_stopped(const struct wait_thread *t)
{
	return t->state == 'T' || t->state == 't';
}

struct wait_holder {
	uint64_t inode;
	uint32_t modes;
	pid_t pid;
	char comm[COMM_LEN + 1];
};

/* A process of the job that has ended. */
struct wait_gone {
	pid_t pid, ppid;
	char comm[COMM_LEN + 1];
	int signal; /* 0: it exited by itself, with `status` */
	int status;
	bool reaped;     /* its parent has looked after it: how it ended is not known, but */
	uint64_t ago_ns; /* when */
};

struct waits {
	size_t thread_count;
	size_t holder_count; /* in the order of inodes once `complete` */
	size_t gone_count;
	bool cut;         /* a process has more descriptors than are looked at */
	bool complete;    /* everything has been looked at */
	int shm_full_pct; /* /dev/shm of the first process; -1: not known */
	struct wait_gone gone[WAITS_MOST_GONE];
	struct wait_holder holders[WAITS_MOST_HOLDERS];
	struct wait_thread threads[WAITS_MOST_THREADS];
};

/* Memory for them, NULL without; waits_free() takes NULL. */
struct waits *waits_new(void);
void waits_free(struct waits *waits);

/* Room for the facts of one more thread, all 0; NULL when there are too many. */
struct wait_thread *waits_add(struct waits *waits);

/*
 * Find out what the threads wait for. Returns 0; -ETIMEDOUT: what was found until then is there, and the memory must be
 * given back, since the reader may still write to it; or another negative errno.
 */
int waits_read(struct waits *waits, struct apart *apart);

/* The name of a system call; NULL for those without one here. */
const char *waits_call_name(int number);

/* In the child. Each looks at the threads that are `known`. */
void waits_read_threads(struct waits *waits);
void waits_read_memory(struct waits *waits);
void waits_read_sockets(struct waits *waits);
void waits_read_locks(struct waits *waits);
void waits_read_holders(struct waits *waits);

/* Takes half a second, where threads wait for files on disks. */
void waits_read_disks(struct waits *waits);

/* A thread waits for this descriptor, maybe among others. */
void waits_take_fd(struct wait_thread *thread, unsigned int fd);

/*
 * The owner of the mutex of glibc (x86-64 and arm64) that a thread waits for in FUTEX_WAIT on its first word, which are these
 * `words`; 0: it is none.
 */
enum { MUTEX_WORDS = 5 };
pid_t waits_mutex_owner(const uint32_t words[MUTEX_WORDS]);

#endif
