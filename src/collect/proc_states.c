// SPDX-License-Identifier: BSD-2-Clause
#include "collect/proc_states.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/order.h"
#include "base/units.h"
#include "collect/proc_wait.h"

enum { TEXT_LEN = 4096, LINK_LEN = 64, MOST_POLLED = 64, MOST_SELECTED = 1024, MOST_HELD = 1024 };
enum { MOST_UNIX_SOCKETS = 262144 };

/* Looks in a row at a thread in the same call, and how many it is spared then between two. */
enum { CALM = 8, VERY_CALM = 20, FEW_SPARED = 3, MOST_SPARED = 9 };

/* A thread in the same call is believed to wait for the same as before for so long. */
static const uint64_t believed_ns = NS_PER_S;

/*
 * The table of UNIX sockets is read again for one that is not in it, after so many times what that took the last time; sockets of
 * the network that were not in it are remembered.
 */
enum { TABLE_REST = 200, KNOWN_INET = 64 };

struct proc_sockets {
	const char *root;
	uint64_t *inodes; /* of UNIX sockets, in order */
	size_t count;
	uint64_t read_ns, took_ns; /* when, 0: never; and how long that took */
	uint64_t inet[KNOWN_INET]; /* inodes, each at its own place */
};

struct proc_sockets *proc_sockets_new(const char *root)
{
	struct proc_sockets *sockets = calloc(1, sizeof(*sockets));

	if (sockets)
		sockets->root = root;
	return sockets;
}

void proc_sockets_free(struct proc_sockets *sockets)
{
	if (!sockets)
		return;
	free(sockets->inodes);
	free(sockets);
}

void proc_fds_init(struct proc_fds *files, pid_t pid)
{
	*files = (struct proc_fds){ .pid = pid, .directory = -1 };
}

void proc_fds_close(struct proc_fds *files)
{
	if (files->directory >= 0)
		close(files->directory);
	files->directory = -1;
}

void proc_look_init(struct proc_look *look)
{
	*look = (struct proc_look){ .call_fd = -1, .state = LEDGER_OTHER, .slept = LEDGER_OTHER };
}

void proc_look_close(struct proc_look *look)
{
	if (look->call_fd >= 0)
		close(look->call_fd);
	look->call_fd = -1;
}

static ssize_t read_some(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return n;
}

static int open_of_thread(const char *root, pid_t pid, pid_t tid, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/proc/%d/task/%d/%s", root, (int)pid, (int)tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static ssize_t read_of_thread(const char *root, pid_t pid, pid_t tid, const char *name, char *text,
			      size_t size)
{
	int fd = open_of_thread(root, pid, tid, name);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read_some(fd, text, size);
	close(fd);
	return n;
}

static int by_inode(const void *a, const void *b)
{
	return compare_numbers(*(const uint64_t *)a, *(const uint64_t *)b);
}

/* Of all UNIX sockets in the network namespace of a process. */
static void read_table(struct proc_sockets *sockets, pid_t pid)
{
	size_t capacity = 0, size = 0;
	char path[PATH_MAX], *line = NULL;
	uint64_t inode;
	ssize_t n;
	FILE *f;

	sockets->count = 0;
	snprintf(path, sizeof(path), "%s/proc/%d/net/unix", sockets->root, (int)pid);
	f = fopen(path, "re");
	while (f && (n = getline(&line, &size, f)) > 0) {
		uint64_t *more;
		size_t at = 0;

		if (!proc_next_unix_socket(line, (size_t)n, &at, &inode))
			continue;
		if (sockets->count == capacity) {
			capacity = capacity ? 2 * capacity : 256;
			more = capacity > MOST_UNIX_SOCKETS ?
				       NULL :
				       reallocarray(sockets->inodes, capacity, sizeof(*more));
			if (!more)
				break;
			sockets->inodes = more;
		}
		sockets->inodes[sockets->count++] = inode;
	}
	free(line);
	if (f)
		fclose(f);
	if (sockets->count)
		qsort(sockets->inodes, sockets->count, sizeof(*sockets->inodes), by_inode);
}

static bool is_in_table(const struct proc_sockets *sockets, uint64_t inode)
{
	return sockets->count &&
	       bsearch(&inode, sockets->inodes, sockets->count, sizeof(*sockets->inodes), by_inode);
}

/*
 * What is no UNIX socket is one of the network. One that is younger than the table may be either: PyTorch's workers make a UNIX
 * socket for each tensor.
 */
static unsigned int kind_of_socket(struct proc_sockets *sockets, pid_t pid, uint64_t inode)
{
	uint64_t *known = &sockets->inet[inode % KNOWN_INET];
	uint64_t now_ns = time_now_ns(CLOCK_MONOTONIC);

	if (is_in_table(sockets, inode))
		return PROC_ON_PIPE;
	if (*known == inode)
		return PROC_ON_INET;
	if (sockets->read_ns && now_ns - sockets->read_ns < TABLE_REST * sockets->took_ns)
		return PROC_ON_UNKNOWN;
	read_table(sockets, pid);
	sockets->read_ns = time_now_ns(CLOCK_MONOTONIC);
	sockets->took_ns = sockets->read_ns - now_ns;
	if (is_in_table(sockets, inode))
		return PROC_ON_PIPE;
	*known = inode;
	return PROC_ON_INET;
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "sda", or "mapper/x": "/" is "!" in the names of /sys. */
static bool is_block_device(const char *root, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/sys/class/block/", root);

	for (size_t i = 0; name[i] && (size_t)n < sizeof(path) - 1; i++)
		path[n++] = name[i] == '/' ? '!' : name[i];
	path[n] = '\0';
	return begins(name, "mapper/") || stat(path, &st) == 0;
}

static unsigned int kind_of_node(const char *root, const char *name)
{
	if (begins(name, "shm/") || begins(name, "hugepages/"))
		return PROC_ON_STORAGE;
	if (begins(name, "mqueue/"))
		return PROC_ON_PIPE;
	return is_block_device(root, name) ? PROC_ON_STORAGE : PROC_ON_DEVICE;
}

static unsigned int kind_of_path(const char *root, const char *path)
{
	if (begins(path, "/dev/"))
		return kind_of_node(root, path + strlen("/dev/"));
	if (begins(path, "/proc/") || begins(path, "/sys/"))
		return PROC_ON_DEVICE;
	return PROC_ON_STORAGE;
}

static unsigned int kind_of_link(const char *link, struct proc_sockets *sockets, pid_t pid)
{
	struct proc_fd_link what;

	if (proc_parse_fd_link(link, strlen(link), &what))
		return PROC_ON_UNKNOWN;
	switch (what.kind) {
	case PROC_FD_SOCKET:
		return kind_of_socket(sockets, pid, what.inode);
	case PROC_FD_PATH:
		return kind_of_path(sockets->root, link);
	case PROC_FD_GPU:
		return PROC_ON_GPU;
	case PROC_FD_TIMERFD:
		return PROC_ON_TIMER;
	default:
		return PROC_ON_PIPE;
	}
}

static bool open_directory(struct proc_fds *files, const char *root)
{
	char path[PATH_MAX];

	if (files->directory < 0) {
		snprintf(path, sizeof(path), "%s/proc/%d/fd", root, (int)files->pid);
		files->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return files->directory >= 0;
}

static bool read_link(const struct proc_fds *files, uint64_t fd, char link[LINK_LEN])
{
	char name[16];
	ssize_t n;

	snprintf(name, sizeof(name), "%d", (int)fd);
	n = readlinkat(files->directory, name, link, LINK_LEN - 1);
	link[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static unsigned int kind_of_fd(struct proc_fds *files, struct proc_sockets *sockets, uint64_t fd)
{
	char link[LINK_LEN], again[LINK_LEN];
	unsigned int kind;

	if (fd > INT_MAX || !open_directory(files, sockets->root) || !read_link(files, fd, link))
		return PROC_ON_UNKNOWN;
	kind = kind_of_link(link, sockets, files->pid);
	/* A UNIX socket that was closed meanwhile is in no table either. */
	if (kind == PROC_ON_INET && (!read_link(files, fd, again) || strcmp(link, again) != 0))
		return PROC_ON_UNKNOWN;
	return kind;
}

static bool read_memory(pid_t pid, uint64_t address, void *out, size_t size)
{
	struct iovec to = { .iov_base = out, .iov_len = size };
	struct iovec from = { .iov_base = (void *)(uintptr_t)address, .iov_len = size };

	return process_vm_readv(pid, &to, 1, &from, 1, 0) == (ssize_t)size;
}

static unsigned int kinds_of_poll(struct proc_fds *files, struct proc_sockets *sockets,
				  const struct proc_syscall *call)
{
	size_t count = call->args[1] < MOST_POLLED ? call->args[1] : MOST_POLLED;
	struct pollfd fds[MOST_POLLED];
	unsigned int kinds = 0;

	if (!count)
		return 0;
	if (!read_memory(files->pid, call->args[0], fds, count * sizeof(fds[0])))
		return PROC_ON_UNKNOWN;
	for (size_t i = 0; i < count && !(kinds & PROC_ON_INET); i++)
		if (fds[i].fd >= 0)
			kinds |= kind_of_fd(files, sockets, (uint64_t)fds[i].fd);
	return kinds;
}

static unsigned int kinds_of_select(struct proc_fds *files, struct proc_sockets *sockets,
				    const struct proc_syscall *call)
{
	uint64_t words[3][MOST_SELECTED / 64] = { 0 };
	size_t count = call->args[0] < MOST_SELECTED ? call->args[0] : MOST_SELECTED;
	unsigned int kinds = 0, looked = 0;

	for (int i = 0; i < 3; i++)
		if (call->args[1 + i] &&
		    !read_memory(files->pid, call->args[1 + i], words[i], (count + 63) / 64 * 8))
			return PROC_ON_UNKNOWN;
	for (size_t fd = 0; fd < count && looked < MOST_POLLED && !(kinds & PROC_ON_INET); fd++) {
		if (!((words[0][fd / 64] | words[1][fd / 64] | words[2][fd / 64]) >> fd % 64 & 1))
			continue;
		kinds |= kind_of_fd(files, sockets, fd);
		looked++;
	}
	return kinds;
}

/* Its fdinfo has a line "tfd: FD ..." for each. */
static unsigned int kinds_of_epoll(struct proc_fds *files, struct proc_sockets *sockets,
				   uint64_t epoll)
{
	char path[PATH_MAX], line[256];
	unsigned int kinds = 0, looked = 0, fd;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/%d/fdinfo/%d", sockets->root, (int)files->pid,
		 (int)epoll);
	f = epoll > INT_MAX ? NULL : fopen(path, "re");
	if (!f)
		return PROC_ON_UNKNOWN;
	while (looked < MOST_POLLED && !(kinds & PROC_ON_INET) && fgets(line, sizeof(line), f))
		if (sscanf(line, "tfd: %u", &fd) == 1) {
			kinds |= kind_of_fd(files, sockets, fd);
			looked++;
		}
	fclose(f);
	return kinds;
}

static unsigned int kinds_of_call(struct proc_fds *files, struct proc_sockets *sockets,
				  const struct proc_syscall *call)
{
	switch (proc_wait_fds(call)) {
	case PROC_WAIT_FIRST_FD:
		return kind_of_fd(files, sockets, call->args[0]);
	case PROC_WAIT_SECOND_FD:
		return kind_of_fd(files, sockets, call->args[1]);
	case PROC_WAIT_SPLICE:
		return kind_of_fd(files, sockets, call->args[0]) |
		       kind_of_fd(files, sockets, call->args[2]);
	case PROC_WAIT_POLL:
		return kinds_of_poll(files, sockets, call);
	case PROC_WAIT_SELECT:
		return kinds_of_select(files, sockets, call);
	case PROC_WAIT_EPOLL:
		return kinds_of_epoll(files, sockets, call->args[0]);
	default:
		return 0;
	}
}

/* The state in its stat, 0 where it is gone. */
static char read_letter(const char *root, pid_t pid, pid_t tid)
{
	char text[TEXT_LEN];
	struct proc_stat stat;
	ssize_t n = read_of_thread(root, pid, tid, "stat", text, sizeof(text));

	if (n < 0 || proc_parse_stat(text, (size_t)n, &stat) || strchr("ZXx", stat.state))
		return 0;
	return stat.state;
}

static void read_function(const char *root, pid_t pid, pid_t tid, char name[WCHAN_LEN])
{
	char text[TEXT_LEN];
	ssize_t n = read_of_thread(root, pid, tid, "wchan", text, sizeof(text));

	name[0] = '\0';
	if (n > 0)
		proc_parse_wchan(text, (size_t)n, name);
}

/* All that the process has open, up to a bound: what a poll may be for. */
static unsigned int kinds_held(struct proc_fds *files, struct proc_sockets *sockets,
			       uint64_t now_ns)
{
	const struct dirent *entry;
	unsigned int looked = 0;
	char path[PATH_MAX];
	DIR *dir;

	if (files->held_ns && now_ns - files->held_ns < believed_ns)
		return files->holds;
	snprintf(path, sizeof(path), "%s/proc/%d/fd", sockets->root, (int)files->pid);
	dir = opendir(path);
	files->holds = dir ? 0 : PROC_ON_UNKNOWN;
	while (dir && looked < MOST_HELD && (entry = readdir(dir)))
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') {
			files->holds |=
				kind_of_fd(files, sockets, strtoull(entry->d_name, NULL, 10));
			looked++;
		}
	if (dir)
		closedir(dir);
	files->held_ns = now_ns;
	return files->holds;
}

static int look_by_function(struct proc_look *look, struct proc_fds *files,
			    struct proc_sockets *sockets, pid_t tid, uint64_t now_ns)
{
	char letter = read_letter(sockets->root, files->pid, tid), function[WCHAN_LEN];

	if (!letter)
		return -ESRCH;
	if (letter == 'R') {
		look->state = LEDGER_CPU;
		return 0;
	}
	read_function(sockets->root, files->pid, tid, function);
	look->state =
		proc_wait_state_by_function(function, letter, kinds_held(files, sockets, now_ns));
	return 0;
}

static bool is_same_call(const struct proc_syscall *a, const struct proc_syscall *b)
{
	return a->number == b->number && memcmp(a->args, b->args, sizeof(a->args)) == 0;
}

static bool is_stopped(const char *root, pid_t pid, pid_t tid)
{
	char letter = read_letter(root, pid, tid);

	return letter == 'T' || letter == 't';
}

/* A thread that has just been seen in another call is not stopped: that is looked for where it stays in one. */
static void classify(struct proc_look *look, struct proc_fds *files, struct proc_sockets *sockets,
		     pid_t tid, const struct proc_syscall *call, uint64_t now_ns)
{
	bool same = look->call_ns && is_same_call(&look->call, call);
	char function[WCHAN_LEN] = "";
	unsigned int kinds;

	look->calm = same ? look->calm + 1 : 0;
	if (!same || now_ns - look->call_ns >= believed_ns) {
		kinds = kinds_of_call(files, sockets, call);
		if (proc_wait_needs_function(call, kinds))
			read_function(sockets->root, files->pid, tid, function);
		look->state = proc_wait_state(call, kinds, function);
		look->call = *call;
		look->call_ns = now_ns;
		look->checked = false;
	}
	if (same && !look->checked) {
		look->checked = true;
		if (is_stopped(sockets->root, files->pid, tid))
			look->state = LEDGER_OTHER;
	}
}

int proc_look_now(struct proc_look *look, struct proc_fds *files, struct proc_sockets *sockets,
		  pid_t tid, uint64_t now_ns)
{
	struct proc_syscall call;
	char text[256];
	ssize_t n;

	if (look->no_call)
		return look_by_function(look, files, sockets, tid, now_ns);
	if (look->call_fd < 0)
		look->call_fd = open_of_thread(sockets->root, files->pid, tid, "syscall");
	n = look->call_fd < 0 ? look->call_fd : read_some(look->call_fd, text, sizeof(text));
	/* In a tree of files made for a test the next instant has other files. */
	if (*sockets->root)
		proc_look_close(look);
	if (n == -ESRCH)
		return -ESRCH;
	if (n <= 0 || proc_parse_syscall(text, (size_t)n, &call)) {
		proc_look_close(look);
		/* Without a descriptor to spare it is only this look. */
		look->no_call = n != -EMFILE && n != -ENFILE;
		return look_by_function(look, files, sockets, tid, now_ns);
	}
	if (call.running) {
		look->state = LEDGER_CPU;
		look->call_ns = 0;
		look->calm = 0;
	} else {
		classify(look, files, sockets, tid, &call, now_ns);
	}
	return 0;
}

bool proc_state_waits(enum ledger_state state)
{
	return clock_in_state(0, state, 1) & CLOCK_RUNS;
}

bool proc_look_is_due(const struct proc_look *look)
{
	uint32_t spared = look->calm >= VERY_CALM ? MOST_SPARED :
			  look->calm >= CALM      ? FEW_SPARED :
						    0;

	return look->skipped >= spared;
}

void proc_look_count(struct proc_look *look, bool waits)
{
	look->looks[look->state] += 1 + look->skipped;
	look->waiting[look->state] += waits + look->skipped_waiting;
	look->skipped = 0;
	look->skipped_waiting = 0;
	if (look->state != LEDGER_CPU)
		look->slept = look->state;
}

void proc_look_spare(struct proc_look *look, bool waits)
{
	look->skipped++;
	look->skipped_waiting += waits;
}

static uint64_t sum_of(const uint32_t looks[LEDGER_STATES])
{
	uint64_t sum = 0;

	for (int i = 0; i < LEDGER_STATES; i++)
		sum += looks[i];
	return sum;
}

bool proc_look_has_any(const struct proc_look *look)
{
	return sum_of(look->looks) != 0;
}

/* `part` of `all` of this time. */
static uint64_t part_of(uint64_t ns, uint64_t part, uint64_t all)
{
	return all ? (uint64_t)((double)ns * (double)part / (double)all) : 0;
}

uint64_t proc_look_clock_ns(const struct proc_look *look, const struct proc_times *times)
{
	uint64_t waits = 0;

	for (int i = LEDGER_RUNQUEUE; i < LEDGER_STATES; i++)
		if (proc_state_waits((enum ledger_state)i))
			waits += look->looks[i];
	return part_of(times->asleep_ns, waits, sum_of(look->looks) - look->looks[LEDGER_CPU]);
}

/* Share `ns` out over the states that were seen; the sleep before has the rest, and all of it where none was. */
static void share_sleep(uint64_t ns, const uint32_t looks[LEDGER_STATES], uint64_t of,
			enum ledger_state slept, __u64 *to)
{
	uint64_t left = ns;

	for (int i = LEDGER_RUNQUEUE; i < LEDGER_STATES; i++) {
		uint64_t part = part_of(ns, looks[i], of);

		to[i] += part;
		left -= part < left ? part : left;
	}
	to[slept] += left;
}

/* What it was seen to do while its trainer waited; running and queueing cannot be told apart by a look. */
static void share_waiting(const struct proc_look *look, const struct proc_times *times,
			  struct thread *thread)
{
	uint64_t all = sum_of(look->waiting), awake_ns = times->cpu_ns + times->runqueue_ns;
	uint64_t ran_ns = part_of(times->clock_ns, look->waiting[LEDGER_CPU], all);
	uint64_t queued_ns = part_of(ran_ns, times->runqueue_ns, awake_ns);

	if (!all)
		return;
	thread->waiting_ns[LEDGER_CPU] += ran_ns - queued_ns;
	thread->waiting_ns[LEDGER_RUNQUEUE] += queued_ns;
	share_sleep(times->clock_ns - ran_ns, look->waiting, all - look->waiting[LEDGER_CPU],
		    look->slept, thread->waiting_ns);
}

void proc_look_share(struct proc_look *look, const struct proc_times *times, struct thread *thread)
{
	share_sleep(times->asleep_ns, look->looks, sum_of(look->looks) - look->looks[LEDGER_CPU],
		    look->slept, thread->ns);
	share_waiting(look, times, thread);
	memset(look->looks, 0, sizeof(look->looks));
	memset(look->waiting, 0, sizeof(look->waiting));
}
