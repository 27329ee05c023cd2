/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who holds the other end of a socket on this host: of TCP, if that is in the same network namespace, from /proc; of a UNIX
 * stream socket, in whystall's own one, from the kernel (unix_diag). The descriptors of others' processes can only be read by
 * root, or with CAP_SYS_PTRACE.
 */
#ifndef WHYSTALL_COLLECT_PEERS_H
#define WHYSTALL_COLLECT_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MAX_PEER_QUERIES = 64 };

struct peer_query {
	pid_t pid;       /* in whose network namespace the socket is */
	uint32_t socket; /* number of its inode */
	uint32_t
		port; /* of its other end: if the socket is gone by now, whoever listens there is the answer */
	pid_t peer;     /* the answer; 0: nobody was found */
	bool connected; /* it has another end, on this host or not */
};

/* Answer up to MAX_PEER_QUERIES. `proc`: where /proc is. What cannot be read answers nothing. */
void peers_find(struct peer_query *queries, size_t count, const char *proc);

#endif
