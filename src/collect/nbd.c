// SPDX-License-Identifier: BSD-2-Clause
#include "collect/nbd.h"

#include <dirent.h>
#include <limits.h>
#include <linux/major.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/folder.h"
#include "collect/peers.h"
#include "collect/sample.h"

/* Of the program that has set a device up. The first three may lead to a log. */
enum { FIRST_FD = 3, MOST_FDS = 1024, LINK_LEN = 64 };

static unsigned int read_number(const char *sys, const char *disk, const char *name)
{
	unsigned int number = 0;
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/block/%s/%s", sys, disk, name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%u", &number) != 1)
		number = 0;
	fclose(f);
	return number;
}

/*
 * The sockets of a process that has such a device open. One that used netlink need not, and may be gone: its ID is another's
 * then.
 */
static size_t list_sockets(struct peer_query queries[MAX_PEER_QUERIES], const char *proc, pid_t pid)
{
	char path[PATH_MAX], target[LINK_LEN];
	const struct dirent *entry;
	bool has_device = false;
	size_t count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%d/fd", proc, (int)pid);
	dir = opendir(path);
	for (int i = 0; dir && i < MOST_FDS && (entry = readdir(dir)); i++) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		struct peer_query query = { .pid = pid };

		target[n > 0 ? n : 0] = '\0';
		has_device = has_device || strncmp(target, "/dev/nbd", strlen("/dev/nbd")) == 0;
		if (count < MAX_PEER_QUERIES && strtol(entry->d_name, NULL, 10) >= FIRST_FD &&
		    sscanf(target, "socket:[%u]", &query.socket) == 1)
			queries[count++] = query;
	}
	if (dir)
		closedir(dir);
	return has_device ? count : 0;
}

/* Which of its sockets is the device's is not told: all have to lead to the same process. */
static pid_t find_server(const char *proc, pid_t client)
{
	struct peer_query queries[MAX_PEER_QUERIES];
	size_t count = list_sockets(queries, proc, client);
	pid_t server = 0;

	peers_find(queries, count, proc);
	for (size_t i = 0; i < count; i++) {
		if (!queries[i].connected)
			continue;
		if (!queries[i].peer || (server && queries[i].peer != server))
			return 0;
		server = queries[i].peer;
	}
	return server;
}

/* Is it such a device that is connected to a server on this host? */
static bool find_device(struct nbd *device, const char *sys, const char *proc, const char *name)
{
	unsigned int number, client;

	if (sscanf(name, "nbd%u", &number) != 1)
		return false;
	client = read_number(sys, name, "pid");
	if (!client) /* it is not connected */
		return false;
	device->minors = read_number(sys, name, "range");
	device->device = device_number(NBD_MAJOR, number * device->minors);
	device->server = find_server(proc, (pid_t)client);
	return device->server != 0;
}

struct listing {
	struct nbd *list;
	const char *sys, *proc;
	size_t count;
};

static bool list_one(void *context, const char *name)
{
	struct listing *l = context;

	l->count += find_device(&l->list[l->count], l->sys, l->proc, name);
	return l->count < MAX_NBD;
}

size_t nbd_find(struct nbd list[MAX_NBD], const char *sys, const char *proc)
{
	struct listing listing = { .list = list, .sys = sys, .proc = proc };
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/block", sys);
	(void)folder_each(path, list_one, &listing); /* none where there are none */
	return listing.count;
}
