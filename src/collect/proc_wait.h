/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a thread waits for, as a state of the ledger, from what /proc shows of it: its system call, or, where that may not be
 * read or says nothing, the kernel's function that it sleeps in (wchan). Pure functions; the rules are those of bpf/waits.bpf.h, as
 * far as they can be known from outside.
 */
#ifndef WHYSTALL_COLLECT_PROC_WAIT_H
#define WHYSTALL_COLLECT_PROC_WAIT_H

#include <linux/types.h>
#include <stdbool.h>

#include "abi.h"
#include "collect/proc_parse.h"

/* What a descriptor stands for, a bit each: a poll has several. */
enum proc_on {
	PROC_ON_STORAGE = 1,
	PROC_ON_PIPE = 2, /* UNIX sockets, eventfd and their like too */
	PROC_ON_INET = 4,
	PROC_ON_TIMER = 8,
	PROC_ON_GPU = 16,
	PROC_ON_DEVICE = 32,
	PROC_ON_UNKNOWN = 64, /* it may not be read, or is closed by now */
};

/* Which descriptors tell what a system call waits for. */
enum proc_wait_fds {
	PROC_WAIT_NO_FD,
	PROC_WAIT_FIRST_FD,  /* its first argument */
	PROC_WAIT_SECOND_FD, /* its second argument: sendfile's source */
	PROC_WAIT_SPLICE,    /* its first and third argument */
	PROC_WAIT_POLL,      /* pollfds at its first argument, so many as the second says */
	PROC_WAIT_SELECT,    /* sets at its second to fourth argument, below the first */
	PROC_WAIT_EPOLL,     /* those in the epoll of its first argument */
};

enum proc_wait_fds proc_wait_fds(const struct proc_syscall *call);

/* Is the kernel's function needed to tell what it waits for? `fds`: what its descriptors are. */
bool proc_wait_needs_function(const struct proc_syscall *call, unsigned int fds);

/* `function`: "" where it is not known or not needed. */
enum ledger_state proc_wait_state(const struct proc_syscall *call, unsigned int fds,
				  const char *function);

/* The same where the system call may not be read; `letter` is the state in /proc/PID/stat, `holds` what the process has open. */
enum ledger_state proc_wait_state_by_function(const char *function, char letter,
					      unsigned int holds);

#endif
