/* SPDX-License-Identifier: BSD-2-Clause */
/* While a job runs: find out which processes outside of it serve it, and have their threads followed. */
#ifndef WHYSTALL_COMMANDS_SERVERS_H
#define WHYSTALL_COMMANDS_SERVERS_H

#include "collect/source.h"
#include "collect/nbd.h"
#include "commands/follow.h"
#include "model/report.h"

enum { KNOWN_SOCKETS = 256 };

/* Who holds the other end of a socket; 0: nobody was found. */
struct known_socket {
	uint32_t socket;
	pid_t peer;
};

/* Begins as { 0 }. */
struct servers {
	struct peer_report *peers; /* waits so far, in the order of thread IDs and kinds */
	size_t peer_count;
	struct known_socket known[KNOWN_SOCKETS];
	size_t known_next;
	struct nbd disks[MAX_NBD]; /* as last looked at */
	size_t disk_count;
	pid_t adopted[MAX_SERVERS];
	size_t adopted_count;
};

/*
 * Take in the time that follow_tick() was called for last, of which `now` is the end: it gets files too where there are NBD
 * devices. Returns 0 or -ENOMEM.
 */
int servers_tick(struct servers *servers, const struct follow *follow, struct source *source,
		 struct sample *now);

void servers_free(struct servers *servers);

#endif
