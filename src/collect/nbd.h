/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network block devices, whose data come from the process at the other end of a socket. Only those that a program has set up
 * by ioctl(2), and stays for: set up by netlink, nobody but the kernel may hold the socket.
 */
#ifndef WHYSTALL_COLLECT_NBD_H
#define WHYSTALL_COLLECT_NBD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MAX_NBD = 16 };

struct nbd {
	uint32_t device; /* major << 20 | minor */
	uint32_t minors; /* so many from this one on are its own and its partitions' */
	pid_t server;
};

/* List those whose server is a process of this host. Returns how many. `sys`, `proc`: where /sys and /proc are. */
size_t nbd_find(struct nbd list[MAX_NBD], const char *sys, const char *proc);

#endif
