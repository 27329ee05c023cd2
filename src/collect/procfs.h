/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID. All of it is written by, or can vanish with, an untrusted process. */
#ifndef WHYSTALL_COLLECT_PROCFS_H
#define WHYSTALL_COLLECT_PROCFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/fault.h"

/* Read up to `size` - 1 bytes of /proc/PID/NAME; NUL-terminated. Returns the length or a negative errno. */
ssize_t procfs_read(pid_t pid, const char *name, char *out, size_t size);

/* The process that a thread belongs to. Returns 0 or a negative errno (-ENOENT: there is none). */
int procfs_read_tgid(pid_t pid, pid_t *tgid);

/* Start in clock ticks since boot, to tell a process from a later one with its PID. */
int procfs_read_start_ticks(pid_t pid, uint64_t *ticks);

/* 1 for a thread of the kernel itself, 0 for any other, or a negative errno. */
int procfs_is_kernel_thread(pid_t pid);

/* Arguments, each ended by NUL, cut at `size`; sets `len`. */
int procfs_read_cmdline(pid_t pid, char *out, size_t size, size_t *len);

/* Path of its control group: in cgroup 2, or, if that is the root, in the blkio hierarchy. */
int procfs_read_cgroup(pid_t pid, char *out, size_t size);

/* The same of the file's text, which is taken apart. */
int procfs_parse_cgroup(char *text, char *out, size_t size);

/* Does /proc show the PID namespace that this process is in? */
int procfs_is_own_namespace(void);

/* Refuse to run where it does not: `fault` says why, with exit code 77. Returns a negative errno. */
int procfs_refuse_namespace(struct fault *fault);

#endif
