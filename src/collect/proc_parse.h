/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The texts that the kernel writes into /proc and /sys, taken apart. Pure functions over `text` of `len` bytes, which need not end
 * with NUL: no I/O, no allocation. Text that was cut, also inside a number, is refused or gives what stood before the cut, never a
 * wrong number. Lines, fields and words that are not known are passed over.
 *
 * Unless said otherwise a function returns 0, or -EINVAL and leaves `out` as it was.
 * Sources: Documentation/filesystems/proc.rst, accounting/psi.rst, admin-guide/cgroup-v2.rst and iostats.rst, proc(5).
 */
#ifndef WHYSTALL_COLLECT_PROC_PARSE_H
#define WHYSTALL_COLLECT_PROC_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/sample.h"

/* /proc/PID/stat and /proc/PID/task/TID/stat. */
struct proc_stat {
	char comm[COMM_LEN]; /* raw, any bytes but NUL; that of a kernel worker is cut */
	char state;          /* R, S, D, T, t, Z, X, I, and whatever comes */
	pid_t ppid;
	uint64_t flags; /* PF_* of include/linux/sched.h */
	uint64_t major_faults;
	uint64_t user_ticks, system_ticks;
	uint64_t threads;
	uint64_t start_ticks; /* since boot */
	uint64_t
		block_ticks; /* 0 as well where the kernel does not account delays: since 5.14 the default */
};
int proc_parse_stat(const char *text, size_t len, struct proc_stat *out);

/* /proc/PID/io. More may be cancelled than was written: the pages of others count, too. */
struct proc_io {
	uint64_t read_chars,
		write_chars;    /* bytes of read, write and their like, whatever they are on */
	uint64_t reads, writes; /* calls */
	uint64_t read_bytes, write_bytes, cancelled_write_bytes;
};
int proc_parse_io(const char *text, size_t len, struct proc_io *out);

/* /proc/PID/schedstat (of the first thread alone) and /proc/PID/task/TID/schedstat. All 0 where the kernel keeps none. */
struct proc_schedstat {
	uint64_t cpu_ns, runqueue_ns;
	uint64_t slices;
};
int proc_parse_schedstat(const char *text, size_t len, struct proc_schedstat *out);

/* /proc/PID/status. What follows the list of groups, which has no bound, may have been cut. */
struct proc_status {
	pid_t tgid;
	pid_t pid; /* as the process itself sees it; where the line NSpid is missing, as /proc does */
	pid_t ppid;
	uid_t uid;        /* the real one */
	uint64_t threads; /* 0: not known */
	bool switches_known;
	uint64_t voluntary_switches, involuntary_switches;
	bool kernel_thread_known, kernel_thread; /* told since 6.8 */
};
int proc_parse_status(const char *text, size_t len, struct proc_status *out);

/* /proc/PID/task/TID/syscall. */
struct proc_syscall {
	bool running;     /* then nothing else is known */
	int64_t number;   /* -1: asleep in none: in a page fault, or a thread of the kernel */
	uint64_t args[6]; /* 0 if in none */
};
int proc_parse_syscall(const char *text, size_t len, struct proc_syscall *out);

/*
 * /proc/PID/task/TID/wchan: the kernel's function that the thread sleeps in. "" where that is not known ("0", an empty file).
 * Refused are names with other characters than [A-Za-z0-9_.] and those that are too long.
 */
enum { WCHAN_LEN = 64 };
int proc_parse_wchan(const char *text, size_t len, char out[WCHAN_LEN]);

/* /proc/pressure/{cpu,io,memory} and a control group's *.pressure. */
struct proc_pressure {
	bool known; /* true once parsed */
	uint64_t some_us;
	double some_avg10; /* per cent */
	bool full_known;   /* of cpu only since 5.13 */
	uint64_t full_us;
	double full_avg10;
};
int proc_parse_pressure(const char *text, size_t len, struct proc_pressure *out);

/* What a link of /proc/PID/fd leads to. */
enum proc_fd_kind {
	PROC_FD_OTHER, /* of a namespace, a pidfd, an anonymous inode that is not listed here */
	PROC_FD_PATH,  /* a file, folder, named pipe or device */
	PROC_FD_GPU, /* a path where drivers of GPUs have their devices; anybody can make another file there */
	PROC_FD_SOCKET,
	PROC_FD_PIPE,
	PROC_FD_EVENTPOLL,
	PROC_FD_EVENTFD,
	PROC_FD_TIMERFD,
	PROC_FD_SIGNALFD,
	PROC_FD_INOTIFY,
	PROC_FD_IO_URING,
	PROC_FD_USERFAULTFD,
};

struct proc_fd_link {
	enum proc_fd_kind kind;
	uint64_t inode; /* of a socket or a pipe, else 0 */
	bool deleted;   /* " (deleted)" follows the path; it may be a part of it */
};
int proc_parse_fd_link(const char *text, size_t len, struct proc_fd_link *out);

/*
 * /proc/PID/net/unix: the inode number of the next UNIX socket. `at` is where to go on, 0 at first. Returns false at the end.
 * The kernel writes names of sockets as they are: one with a newline in it can make up rows. A number is therefore to be believed
 * only where it matters to its own process alone, and where no table of INET sockets has it.
 */
bool proc_next_unix_socket(const char *text, size_t len, size_t *at, uint64_t *inode);

/*
 * A line of /proc/diskstats with its newline: 14 fields, from 4.18 on 18 (discards), from 5.5 on 20 (flushes); what it lacks is 0.
 * Sets everything but `partition` and `hidden`, which are false.
 */
int proc_parse_diskstats_line(const char *line, size_t len, struct disk_sample *out);

/* What a control group did on one device. */
struct proc_cgroup_io {
	uint32_t device; /* as in struct io_key */
	uint64_t read_bytes, write_bytes;
	uint64_t read_ios, write_ios;
};

/* All zeros is an empty list. */
enum { PROC_CGROUP_DEVICES = 64 };
struct proc_cgroup_ios {
	struct proc_cgroup_io list[PROC_CGROUP_DEVICES];
	size_t count;
	size_t left_out; /* lines for which there was no room */
};

/* io.stat of version 2. Returns 0; adds to `out` what can be read. */
int proc_parse_io_stat(const char *text, size_t len, struct proc_cgroup_ios *out);

/* blkio.throttle.io_service_bytes and .io_serviced of version 1, one after the other, in any order. Returns 0, as above. */
enum proc_blkio { PROC_BLKIO_BYTES, PROC_BLKIO_IOS };
int proc_parse_blkio(const char *text, size_t len, enum proc_blkio what,
		     struct proc_cgroup_ios *out);

/* cpu.stat of version 2 or 1. */
struct proc_cgroup_cpu {
	bool usage_known; /* not in version 1 */
	uint64_t usage_us;
	bool throttle_known; /* in version 2 only of groups that have the controller */
	uint64_t periods, throttled, throttled_us;
};
int proc_parse_cpu_stat(const char *text, size_t len, struct proc_cgroup_cpu *out);

#endif
