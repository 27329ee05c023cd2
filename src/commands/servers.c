// SPDX-License-Identifier: BSD-2-Clause
#include "commands/servers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "collect/peers.h"
#include "judge/served.h"

/* A job may have threads for days: of so many it is noted whom they wait for. */
enum { MOST_PEERS = 4096 };

static const struct known_socket *find_socket(const struct servers *servers, uint32_t socket)
{
	for (size_t i = 0; i < KNOWN_SOCKETS; i++)
		if (servers->known[i].socket == socket)
			return &servers->known[i];
	return NULL;
}

static bool is_before(const struct peer_report *peer, pid_t tid, enum edge_kind kind)
{
	return peer->tid < tid || (peer->tid == tid && peer->kind < kind);
}

/* The place of a thread's waits in `peers`, made if there is none; NULL with -ENOMEM, or when there are too many. */
static struct peer_report *find_peer(struct servers *servers, const struct loop_thread *t,
				     enum edge_kind kind, int *err)
{
	const struct peer_report fresh = { .tid = t->tid, .pid = t->pid, .kind = kind };
	struct peer_report *more;
	size_t at = 0;

	while (at < servers->peer_count && is_before(&servers->peers[at], t->tid, kind))
		at++;
	if (at < servers->peer_count && servers->peers[at].tid == t->tid &&
	    servers->peers[at].kind == kind) {
		/* Another thread with this ID. */
		if (servers->peers[at].pid != t->pid)
			servers->peers[at] = fresh;
		return &servers->peers[at];
	}
	if (servers->peer_count == MOST_PEERS)
		return NULL;
	more = reallocarray(servers->peers, servers->peer_count + 1, sizeof(*more));
	if (!more) {
		*err = -ENOMEM;
		return NULL;
	}
	servers->peers = more;
	memmove(more + at + 1, more + at, (servers->peer_count - at) * sizeof(*more));
	servers->peer_count++;
	more[at] = fresh;
	return &more[at];
}

static bool waited_for_socket(const struct loop_thread *t)
{
	return t->socket && t->all.ns[LEDGER_NETWORK];
}

/* Ask for sockets that are not known yet. */
static void learn_sockets(struct servers *servers, const struct loop *last)
{
	struct peer_query queries[MAX_PEER_QUERIES];
	size_t count = 0;

	for (size_t i = 0; i < last->thread_count && count < MAX_PEER_QUERIES; i++) {
		const struct loop_thread *t = &last->threads[i];

		if (waited_for_socket(t) && t->peer_port && !t->ended &&
		    !find_socket(servers, t->socket))
			queries[count++] = (struct peer_query){ .pid = t->pid,
								.socket = t->socket,
								.port = t->peer_port };
	}
	if (!count)
		return;
	peers_find(queries, count, "/proc");
	for (size_t i = 0; i < count; i++)
		servers->known[servers->known_next++ % KNOWN_SOCKETS] =
			(struct known_socket){ .socket = queries[i].socket,
					       .peer = queries[i].peer };
}

/* Add what each thread waited for its socket. One that is not known yet most likely leads where the last one did. */
static int add_waits(struct servers *servers, const struct follow *follow)
{
	const struct loop *last = &follow->last;
	int err = 0;

	for (size_t i = 0; !err && i < last->thread_count; i++) {
		const struct loop_thread *t = &last->threads[i];
		const struct known_socket *known;
		struct peer_report *peer;

		if (!waited_for_socket(t))
			continue;
		peer = find_peer(servers, t, EDGE_NETWORK, &err);
		if (!peer)
			continue;
		known = find_socket(servers, t->socket);
		if (known && known->peer && known->peer != peer->server) {
			peer->server = known->peer;
			peer->ns = 0;
		}
		if (peer->server && t->peer_port && !loop_find_process(&follow->seen, peer->server))
			peer->ns += t->all.ns[LEDGER_NETWORK];
	}
	return err;
}

/* Of a process's waits for files so far, the part that was for files on the device. */
static double part_on(const struct nbd *disk, const struct sample *now,
		      const struct loop_process *p)
{
	uint64_t all = 0, here = 0;

	for (size_t i = 0; i < now->file_count; i++) {
		const struct file_sample *file = &now->files[i];

		if (file->owner != p->owner || file->owner_start_boot_ns != p->start_boot_ns)
			continue;
		for (int kind = 0; kind < WAIT_KINDS; kind++) {
			all += file->wait_ns[kind];
			here += file->device - disk->device < disk->minors ? file->wait_ns[kind] :
									     0;
		}
	}
	return all ? (double)here / (double)all : 0;
}

/* Add what each thread waited for files on the devices. One that waits for those of two servers counts for the first. */
static int add_disk_waits(struct servers *servers, const struct loop *last,
			  const struct sample *now)
{
	int err = 0;

	for (size_t i = 0; !err && i < last->thread_count * servers->disk_count; i++) {
		const struct nbd *disk = &servers->disks[i % servers->disk_count];
		const struct loop_thread *t = &last->threads[i / servers->disk_count];
		const struct loop_process *p = loop_find_process(last, t->pid);
		uint64_t all = ledger_storage_ns(&t->all);
		double ns = p && all ? (double)all * part_on(disk, now, p) : 0;
		struct peer_report *peer =
			ns > 0 ? find_peer(servers, t, EDGE_STORAGE, &err) : NULL;

		if (!peer || (peer->server && peer->server != disk->server))
			continue;
		peer->server = disk->server;
		peer->ns += (uint64_t)ns;
	}
	return err;
}

static bool is_adopted(const struct servers *servers, pid_t pid)
{
	for (size_t i = 0; i < servers->adopted_count; i++)
		if (servers->adopted[i] == pid)
			return true;
	return pid == getpid();
}

static void adopt(struct servers *servers, const struct follow *follow, struct source *source)
{
	struct served_choice list[MAX_SERVERS];
	size_t count = served_choose(list, &follow->seen, &follow->roles, servers->peers,
				     servers->peer_count);

	for (size_t i = 0; i < count && servers->adopted_count < MAX_SERVERS; i++) {
		const struct loop_process *trainer =
			loop_find_process(&follow->seen, list[i].trainer);
		int err;

		if (!trainer || is_adopted(servers, list[i].pid))
			continue;
		servers->adopted[servers->adopted_count++] = list[i].pid;
		err = source_serve(source, list[i].pid, trainer->owner);
		if (err)
			log_debug("process %d serves the job, and cannot be followed: %s",
				  (int)list[i].pid, strerror(-err));
	}
}

int servers_tick(struct servers *servers, const struct follow *follow, struct source *source,
		 struct sample *now)
{
	bool look = follow_has_looked(follow);
	struct fault ignored;
	int err;

	if (look) {
		learn_sockets(servers, &follow->last);
		servers->disk_count = nbd_find(servers->disks, "/sys", "/proc");
	}
	err = add_waits(servers, follow);
	if (!err && servers->disk_count)
		err = source_read_files(source, now, false, &ignored);
	if (!err)
		err = add_disk_waits(servers, &follow->last, now);
	if (!err && look)
		adopt(servers, follow, source);
	return err;
}

void servers_free(struct servers *servers)
{
	free(servers->peers);
	*servers = (struct servers){ 0 };
}
