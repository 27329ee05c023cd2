// SPDX-License-Identifier: BSD-2-Clause
#include "collect/waits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/text.h"
#include "base/units.h"
#include "collect/apart.h"
#include "collect/procfs.h"

enum { TEXT_LEN = 4096, MOUNTS_LEN = 256 * 1024, MOST_EPOLL_FDS = 16 };

static const uint64_t patience_ns = 2ULL * NS_PER_S;

enum call_kind {
	CALL_OTHER,
	CALL_FD,   /* its first argument */
	CALL_PATH, /* its first argument */
	CALL_PATH_AT,
	CALL_POLL, /* read with the memory */
	CALL_EPOLL,
	CALL_FUTEX,
	CALL_CHILD,
	CALL_SLEEP,
	CALL_SIGNAL,
	CALL_LOCK,
};

struct call {
	const char *name;
	int number;
	enum call_kind kind;
};

static const struct call calls[] = {
	{ "read", SYS_read, CALL_FD },
	{ "readv", SYS_readv, CALL_FD },
	{ "pread64", SYS_pread64, CALL_FD },
	{ "preadv", SYS_preadv, CALL_FD },
	{ "preadv2", SYS_preadv2, CALL_FD },
	{ "write", SYS_write, CALL_FD },
	{ "writev", SYS_writev, CALL_FD },
	{ "pwrite64", SYS_pwrite64, CALL_FD },
	{ "pwritev", SYS_pwritev, CALL_FD },
	{ "fsync", SYS_fsync, CALL_FD },
	{ "fdatasync", SYS_fdatasync, CALL_FD },
	{ "ftruncate", SYS_ftruncate, CALL_FD },
	{ "fallocate", SYS_fallocate, CALL_FD },
	{ "fstat", SYS_fstat, CALL_FD },
	{ "fstatfs", SYS_fstatfs, CALL_FD },
	{ "lseek", SYS_lseek, CALL_FD },
	{ "ioctl", SYS_ioctl, CALL_FD },
	{ "getdents64", SYS_getdents64, CALL_FD },
	{ "sendfile", SYS_sendfile, CALL_FD },
	{ "copy_file_range", SYS_copy_file_range, CALL_FD },
	{ "recvfrom", SYS_recvfrom, CALL_FD },
	{ "recvmsg", SYS_recvmsg, CALL_FD },
	{ "sendto", SYS_sendto, CALL_FD },
	{ "sendmsg", SYS_sendmsg, CALL_FD },
	{ "connect", SYS_connect, CALL_FD },
	{ "accept", SYS_accept, CALL_FD },
	{ "accept4", SYS_accept4, CALL_FD },
	{ "openat", SYS_openat, CALL_PATH_AT },
	{ "newfstatat", SYS_newfstatat, CALL_PATH_AT },
	{ "statx", SYS_statx, CALL_PATH_AT },
	{ "faccessat", SYS_faccessat, CALL_PATH_AT },
	{ "readlinkat", SYS_readlinkat, CALL_PATH_AT },
	{ "unlinkat", SYS_unlinkat, CALL_PATH_AT },
	{ "mkdirat", SYS_mkdirat, CALL_PATH_AT },
	{ "statfs", SYS_statfs, CALL_PATH },
	{ "chdir", SYS_chdir, CALL_PATH },
	{ "execve", SYS_execve, CALL_PATH },
	{ "close", SYS_close, CALL_OTHER },
	{ "ppoll", SYS_ppoll, CALL_POLL },
	{ "pselect6", SYS_pselect6, CALL_POLL },
	{ "epoll_pwait", SYS_epoll_pwait, CALL_EPOLL },
	{ "futex", SYS_futex, CALL_FUTEX },
	{ "wait4", SYS_wait4, CALL_CHILD },
	{ "waitid", SYS_waitid, CALL_CHILD },
	{ "clone", SYS_clone, CALL_CHILD },
	{ "nanosleep", SYS_nanosleep, CALL_SLEEP },
	{ "clock_nanosleep", SYS_clock_nanosleep, CALL_SLEEP },
	{ "rt_sigsuspend", SYS_rt_sigsuspend, CALL_SIGNAL },
	{ "rt_sigtimedwait", SYS_rt_sigtimedwait, CALL_SIGNAL },
	{ "flock", SYS_flock, CALL_LOCK },
	{ "fcntl", SYS_fcntl, CALL_LOCK },
	{ "io_uring_enter", SYS_io_uring_enter, CALL_OTHER },
	{ "io_getevents", SYS_io_getevents, CALL_OTHER },
	{ "msync", SYS_msync, CALL_OTHER },
	{ "mmap", SYS_mmap, CALL_OTHER },
	{ "munmap", SYS_munmap, CALL_OTHER },
	{ "restart_syscall", SYS_restart_syscall, CALL_OTHER },
#ifdef SYS_open
	{ "open", SYS_open, CALL_PATH },
	{ "stat", SYS_stat, CALL_PATH },
	{ "lstat", SYS_lstat, CALL_PATH },
	{ "access", SYS_access, CALL_PATH },
	{ "readlink", SYS_readlink, CALL_PATH },
	{ "unlink", SYS_unlink, CALL_PATH },
	{ "mkdir", SYS_mkdir, CALL_PATH },
	{ "poll", SYS_poll, CALL_POLL },
	{ "select", SYS_select, CALL_POLL },
	{ "epoll_wait", SYS_epoll_wait, CALL_EPOLL },
	{ "pause", SYS_pause, CALL_SIGNAL },
	{ "vfork", SYS_vfork, CALL_CHILD },
#endif
};

static const struct call *call_of(int number)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].number == number)
			return &calls[i];
	return NULL;
}

const char *waits_call_name(int number)
{
	const struct call *call = call_of(number);

	return call ? call->name : NULL;
}

static ssize_t read_of_thread(const struct wait_thread *thread, const char *name, char *out,
			      size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "task/%d/%s", thread->tid, name);
	return procfs_read(thread->pid, path, out, size);
}

/* The value behind "\nNAME:\t"; NULL if there is none. A process's name comes first and holds no newline. */
static const char *field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? at + strlen(name) + strspn(at + strlen(name), " \t") : NULL;
}

static void read_status(struct wait_thread *thread)
{
	char text[TEXT_LEN];
	const char *state, *pids;

	if (read_of_thread(thread, "status", text, sizeof(text)) < 0)
		return;
	state = field(text, "\nState:");
	pids = field(text, "\nNSpid:");
	thread->state = state ? *state : '?';
	thread->namespace_tid = thread->tid;
	/* As each PID namespace knows it, its own one last. */
	for (char *end; pids && *pids && *pids != '\n'; pids = end + strspn(end, " \t")) {
		long pid = strtol(pids, &end, 10);

		if (end == pids)
			break;
		thread->namespace_tid = (pid_t)pid;
	}
	thread->known = true;
}

/* "202 0x7f... 0x80 ... SP PC", "-1 SP PC", or "running". */
static bool read_call(struct wait_thread *thread)
{
	const uint64_t compat_end = 1ULL << 32;
	char text[512], *at, *end;
	uint64_t stack;

	if (read_of_thread(thread, "syscall", text, sizeof(text)) <= 0)
		return false;
	thread->call = (int)strtol(text, &end, 10);
	if (end == text) {
		thread->kind = WAIT_RUNNING;
		thread->ends = ENDS_TIME;
		return false;
	}
	if (thread->call < 0)
		return true;
	for (int i = 0; i < 6; i++) {
		at = end;
		thread->argument[i] = strtoull(at, &end, 16);
	}
	stack = strtoull(end, NULL, 16);
	/* A 32-bit program has other numbers. */
	return stack >= compat_end;
}

/* "flags:\t0100002\nmnt_id:\t25\n..." */
static bool read_fdinfo(const struct wait_thread *thread, unsigned int fd, char *text, size_t size)
{
	char name[64];

	text[0] = '\n'; /* for field() */
	snprintf(name, sizeof(name), "fdinfo/%u", fd);
	return procfs_read(thread->pid, name, text + 1, size - 1) > 0;
}

/* How the descriptor was opened tells which other end can do something for it. */
static uint32_t modes_wanted(const struct wait_thread *thread, unsigned int fd)
{
	char text[TEXT_LEN];
	const char *flags;

	if (!read_fdinfo(thread, fd, text, sizeof(text)) || !(flags = field(text, "\nflags:")))
		return HOLDS_READER | HOLDS_WRITER;
	switch (strtoul(flags, NULL, 8) & O_ACCMODE) {
	case O_RDONLY:
		return HOLDS_WRITER;
	case O_WRONLY:
		return HOLDS_READER;
	default:
		return HOLDS_READER | HOLDS_WRITER;
	}
}

static void take_inode(struct wait_thread *thread, const char *link, enum wait_kind kind,
		       uint32_t modes)
{
	const char *number = strchr(link, '[');

	if (!number || thread->inode_count == WAIT_INODES) {
		thread->ends |= ENDS_JOB;
		return;
	}
	thread->kind = thread->inode_count ? WAIT_POLL : kind;
	thread->ends |= ENDS_HOLDERS;
	thread->inodes[thread->inode_count++] =
		(struct wait_inode){ .inode = strtoull(number + 1, NULL, 10),
				     .modes = modes,
				     .socket = kind == WAIT_SOCKET };
}

/* A line of mountinfo: "ID PARENT MAJOR:MINOR ROOT TARGET OPTIONS ... - TYPE SOURCE OPTIONS". */
struct mount_line {
	long id;
	unsigned int major, minor;
	const char *target, *type;
};

static bool parse_mount(char *line, struct mount_line *mount)
{
	char *rest = strstr(line, " - "), *next = line;
	const char *id, *number, *minor;

	if (!rest)
		return false;
	*rest = '\0';
	rest += strlen(" - ");
	id = strsep(&next, " ");
	strsep(&next, " ");
	number = strsep(&next, " ");
	strsep(&next, " ");
	mount->target = strsep(&next, " ");
	mount->type = strsep(&rest, " ");
	if (!mount->target || !mount->type || !(minor = strchr(number, ':')))
		return false;
	mount->id = strtol(id, NULL, 10);
	mount->major = (unsigned int)strtoul(number, NULL, 10);
	mount->minor = (unsigned int)strtoul(minor + 1, NULL, 10);
	return true;
}

/* By its number, or by the path where that is -1: the last one that it is below. */
static void find_mount(struct wait_thread *thread, long id)
{
	char *text = malloc(MOUNTS_LEN), *next = text, *line;
	size_t longest = 0;

	if (!text || procfs_read(thread->pid, "mountinfo", text, MOUNTS_LEN) < 0) {
		free(text);
		return;
	}
	while ((line = strsep(&next, "\n"))) {
		struct mount_line mount;

		if (!parse_mount(line, &mount))
			continue;
		if (id >= 0 ? mount.id != id :
			      !text_is_below(thread->object, mount.target) ||
				      strlen(mount.target) < longest)
			continue;
		longest = strlen(mount.target);
		text_copy(thread->mount, sizeof(thread->mount), mount.target);
		text_copy(thread->file_system, sizeof(thread->file_system), mount.type);
		thread->mount_major = mount.major;
		thread->mount_minor = mount.minor;
	}
	free(text);
}

static void take_file(struct wait_thread *thread, unsigned int fd, const char *link)
{
	char text[TEXT_LEN];
	const char *id;

	thread->kind = WAIT_FILE;
	text_copy(thread->object, sizeof(thread->object), link);
	if (read_fdinfo(thread, fd, text, sizeof(text)) && (id = field(text, "\nmnt_id:")))
		find_mount(thread, strtol(id, NULL, 10));
}

void waits_take_fd(struct wait_thread *thread, unsigned int fd)
{
	char path[64], link[WAIT_OBJECT_LEN];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%u", thread->pid, fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0) {
		thread->ends |= ENDS_JOB;
		return;
	}
	link[n] = '\0';
	if (!thread->object[0])
		text_copy(thread->object, sizeof(thread->object), link);
	if (strncmp(link, "pipe:[", 6) == 0) {
		take_inode(thread, link, WAIT_PIPE, modes_wanted(thread, fd));
	} else if (strncmp(link, "socket:[", 8) == 0) {
		take_inode(thread, link, WAIT_SOCKET, HOLDS_READER | HOLDS_WRITER);
	} else if (strcmp(link, "anon_inode:[eventfd]") == 0) {
		thread->kind = WAIT_POLL;
		thread->ends |= ENDS_JOB;
	} else if (strcmp(link, "anon_inode:[pidfd]") == 0 || strncmp(link, "pidfd:", 6) == 0) {
		thread->kind = WAIT_CHILD;
		thread->ends |= ENDS_CHILDREN;
	} else if (strcmp(link, "anon_inode:[timerfd]") == 0) {
		thread->kind = WAIT_TIMER;
		thread->ends |= ENDS_TIME;
	} else if (link[0] == '/' && ledger_wait_kind(thread->class) >= 0) {
		take_file(thread, fd, link);
	} else {
		thread->kind = thread->inode_count ? WAIT_POLL : WAIT_OUTSIDE;
		thread->ends |= ENDS_OUTSIDE;
	}
}

/* The descriptors of an epoll, in its own fdinfo: "tfd:       12 events: ...". */
static void take_epoll(struct wait_thread *thread, unsigned int fd)
{
	char text[TEXT_LEN];
	const char *at = text;
	int count = 0;

	if (!read_fdinfo(thread, fd, text, sizeof(text))) {
		thread->ends |= ENDS_JOB;
		return;
	}
	while (count++ < MOST_EPOLL_FDS && (at = field(at, "\ntfd:")))
		waits_take_fd(thread, (unsigned int)strtoul(at, NULL, 10));
	if (at)
		thread->ends |= ENDS_JOB; /* there are more */
	if (!thread->kind)
		thread->kind = WAIT_POLL;
}

static void take_child(struct wait_thread *thread)
{
	long pid = (int)thread->argument[thread->call == SYS_waitid ? 1 : 0];
	bool one = thread->call == SYS_wait4 ?
			   pid > 0 :
			   thread->call == SYS_waitid && thread->argument[0] == 1;

	thread->kind = WAIT_CHILD;
	thread->ends |= ENDS_CHILDREN;
	/* As its own PID namespace knows it. */
	if (one && thread->namespace_tid == thread->tid) {
		thread->ends = ENDS_PROCESS;
		thread->waker = (pid_t)pid;
	}
}

static void take_call(struct wait_thread *thread)
{
	const struct call *call = call_of(thread->call);

	if (!call && thread->call != -1) {
		/* Message queues, semaphores and their like are shared with anybody. */
		thread->kind = WAIT_OUTSIDE;
		thread->ends = ENDS_OUTSIDE | ENDS_JOB;
		return;
	}
	switch (call ? call->kind : CALL_OTHER) {
	case CALL_FD:
		waits_take_fd(thread, (unsigned int)thread->argument[0]);
		return;
	case CALL_EPOLL:
		take_epoll(thread, (unsigned int)thread->argument[0]);
		thread->polls = true;
		/* epoll_pwait2() has an address there, others milliseconds or -1. */
		if ((int)thread->argument[3] > 0)
			thread->ends |= ENDS_LIMIT;
		return;
	case CALL_PATH:
	case CALL_PATH_AT:
		/* A FIFO, say, waits for whoever opens its other end. */
		thread->kind = ledger_wait_kind(thread->class) >= 0 ? WAIT_FILE : WAIT_OUTSIDE;
		thread->ends = thread->kind == WAIT_FILE ? 0 : ENDS_OUTSIDE;
		return;
	case CALL_FUTEX:
		thread->kind = WAIT_FUTEX;
		thread->ends =
			thread->argument[1] & 128 ? ENDS_OWN : ENDS_JOB; /* FUTEX_PRIVATE_FLAG */
		snprintf(thread->object, sizeof(thread->object), "futex 0x%llx",
			 (unsigned long long)thread->argument[0]);
		return;
	case CALL_CHILD:
		take_child(thread);
		return;
	case CALL_SLEEP:
		thread->kind = WAIT_TIMER;
		thread->ends = ENDS_TIME;
		return;
	case CALL_SIGNAL:
		thread->kind = WAIT_OUTSIDE;
		thread->ends = ENDS_OUTSIDE;
		return;
	default:
		if (ledger_wait_kind(thread->class) >= 0)
			thread->kind = WAIT_FILE;
	}
}

void waits_read_threads(struct waits *waits)
{
	for (size_t i = 0; i < waits->thread_count; i++) {
		struct wait_thread *thread = &waits->threads[i];

		read_status(thread);
		if (!thread->known)
			continue;
		if (read_call(thread))
			take_call(thread);
		if (!thread->ends && thread->kind != WAIT_FILE)
			thread->ends = ENDS_JOB;
	}
}

/* A path that a call was given: told with its mount where it is absolute. */
static void read_memory_of(struct waits *waits)
{
	waits_read_memory(waits);
	for (size_t i = 0; i < waits->thread_count; i++) {
		struct wait_thread *thread = &waits->threads[i];

		if (thread->kind == WAIT_FILE && !thread->mount[0] && thread->object[0] == '/')
			find_mount(thread, -1);
	}
}

/* Of the first process that is there: a job has one /dev/shm. */
static void read_shm(struct waits *waits)
{
	struct statfs shm;
	char path[64];

	for (size_t i = 0; i < waits->thread_count; i++) {
		if (!waits->threads[i].known)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/root/dev/shm", waits->threads[i].pid);
		if (statfs(path, &shm) == 0 && shm.f_blocks)
			waits->shm_full_pct =
				(int)(100 - 100 * (unsigned long)shm.f_bavail / shm.f_blocks);
		return;
	}
}

/* What may never answer comes last. */
// NOLINTNEXTLINE(readability-non-const-parameter): as apart_run() wants it
static void child(const void *context, void *answer, int *fds, size_t *fd_count)
{
	struct waits *waits = *(struct waits *const *)context;

	(void)answer;
	(void)fds;
	*fd_count = 0;
	waits_read_threads(waits);
	waits_read_locks(waits);
	waits_read_sockets(waits);
	waits_read_holders(waits);
	read_memory_of(waits);
	/* Descriptors that were found in memory. */
	waits_read_sockets(waits);
	waits_read_holders(waits);
	waits_read_disks(waits);
	waits->complete = !waits->cut;
	read_shm(waits);
}

int waits_read(struct waits *waits, struct apart *apart)
{
	const struct apart_work work = { .run = child,
					 .context = &waits,
					 .keep_fd = -1,
					 .timeout_ns = patience_ns,
					 .answer_size = 1 };
	int fds[APART_MAX_FDS];
	size_t fd_count;
	char answer;

	waits->shm_full_pct = -1;
	return apart_run(apart, &work, &answer, fds, &fd_count);
}

struct waits *waits_new(void)
{
	void *memory = mmap(NULL, sizeof(struct waits), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void waits_free(struct waits *waits)
{
	if (waits)
		munmap(waits, sizeof(*waits));
}

struct wait_thread *waits_add(struct waits *waits)
{
	return waits->thread_count < WAITS_MOST_THREADS ? &waits->threads[waits->thread_count++] :
							  NULL;
}
