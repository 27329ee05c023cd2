/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of /proc/PID as text. Anything may be in them: a name with brackets, fields of a later kernel, half a file. `text`
 * need not end in NUL. Each returns 0 or -EINVAL, and then leaves `out` without meaning. Source: proc(5).
 */
#ifndef WHYSTALL_COLLECT_PROC_PARSE_H
#define WHYSTALL_COLLECT_PROC_PARSE_H

#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi.h"

/* /proc/PID/stat, /proc/PID/task/TID/stat */
struct proc_stat {
	char comm[COMM_LEN];
	char state;
	pid_t ppid;
	uint64_t flags; /* PF_KTHREAD and its like, of include/linux/sched.h */
	uint64_t major_faults;
	uint64_t user_ticks, system_ticks;
	uint64_t threads;
	uint64_t start_ticks; /* since boot */
	uint64_t block_ticks; /* waits for block I/O; 0 without the kernel's delay accounting */
};

int proc_parse_stat(const char *text, size_t len, struct proc_stat *out);

/* /proc/PID/io */
struct proc_io {
	uint64_t read_chars, write_chars;
	uint64_t reads, writes; /* system calls */
	uint64_t read_bytes, write_bytes;
	uint64_t cancelled_write_bytes;
};

int proc_parse_io(const char *text, size_t len, struct proc_io *out);

/* /proc/PID/task/TID/schedstat */
struct proc_schedstat {
	uint64_t cpu_ns, runqueue_ns;
	uint64_t slices;
};

int proc_parse_schedstat(const char *text, size_t len, struct proc_schedstat *out);

#endif
