// SPDX-License-Identifier: BSD-2-Clause
#include "collect/peers.h"

#include <dirent.h>
#include <limits.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/units.h"

/* A host may have very many sockets and descriptors: what is beyond is not looked at. */
enum { MAX_SOCKETS = 65536, MOST_LINKS = 262144, END_LEN = 40, LINK_LEN = 64 };

/* Address and port of one end, as /proc/net/tcp writes them. */
struct socket_row {
	char local[END_LEN], remote[END_LEN];
	uint32_t inode;
	uint32_t listens; /* on this port; 0: it does not */
	bool connected;
};

/* The sockets of one network namespace. */
struct socket_table {
	char namespace[LINK_LEN];
	struct socket_row *rows;
	size_t count, capacity;
};

/* An IPv4 address may be written as an IPv6 one: the same end is then in both tables. The order of bytes is the host's. */
static const char *without_mapping(const char *address)
{
	static const char *const mapped[] = { "0000000000000000FFFF0000",
					      "00000000000000000000FFFF" };

	for (size_t i = 0; i < sizeof(mapped) / sizeof(mapped[0]); i++)
		if (strlen(address) == 32 && strncmp(address, mapped[i], strlen(mapped[i])) == 0)
			return address + strlen(mapped[i]);
	return address;
}

static bool parse_row(struct socket_row *row, const char *line)
{
	char local[33], remote[33];
	unsigned int local_port, remote_port, state;
	unsigned long inode;

	if (sscanf(line,
		   " %*u: %32[0-9A-F]:%4x %32[0-9A-F]:%4x %2x %*x:%*x %*x:%*x %*x %*u %*u %lu",
		   local, &local_port, remote, &remote_port, &state, &inode) != 6)
		return false;
	snprintf(row->local, sizeof(row->local), "%s:%u", without_mapping(local), local_port);
	snprintf(row->remote, sizeof(row->remote), "%s:%u", without_mapping(remote), remote_port);
	row->inode = (uint32_t)inode;
	row->listens = state == TCP_LISTEN ? local_port : 0;
	row->connected = remote_port != 0;
	return true;
}

static bool table_add(struct socket_table *table, const struct socket_row *row)
{
	if (table->count == table->capacity) {
		size_t capacity = table->capacity ? 2 * table->capacity : 256;
		struct socket_row *more =
			capacity > MAX_SOCKETS ? NULL :
						 reallocarray(table->rows, capacity, sizeof(*more));

		if (!more)
			return false;
		table->rows = more;
		table->capacity = capacity;
	}
	table->rows[table->count++] = *row;
	return true;
}

static void read_table(struct socket_table *table, const char *proc, pid_t pid, const char *name)
{
	char path[PATH_MAX], line[512];
	struct socket_row row;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%d/net/%s", proc, (int)pid, name);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		if (parse_row(&row, line) && !table_add(table, &row))
			break;
	fclose(f);
}

/* The table of the namespace that the process is in, which most often is that of the one before. */
static void table_of(struct socket_table *table, const char *proc, pid_t pid)
{
	char path[PATH_MAX], namespace[LINK_LEN];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%d/ns/net", proc, (int)pid);
	n = readlink(path, namespace, sizeof(namespace) - 1);
	namespace[n > 0 ? n : 0] = '\0';
	if (n > 0 && strcmp(namespace, table->namespace) == 0)
		return;
	table->count = 0;
	memcpy(table->namespace, namespace, sizeof(namespace));
	if (n <= 0)
		return;
	read_table(table, proc, pid, "tcp");
	read_table(table, proc, pid, "tcp6");
}

/* The inode of the other end of a UNIX stream socket; 0 if it is none, or no process has that end yet. */
static uint32_t unix_end(uint32_t inode)
{
	const struct {
		struct nlmsghdr header;
		struct unix_diag_req body;
	} ask = { .header = { .nlmsg_len = sizeof(ask),
			      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			      .nlmsg_flags = NLM_F_REQUEST },
		  .body = { .sdiag_family = AF_UNIX,
			    .udiag_states = ~0U,
			    .udiag_ino = inode,
			    .udiag_show = UDIAG_SHOW_PEER,
			    .udiag_cookie = { ~0U, ~0U } } };
	/* What was asked for comes first. */
	struct {
		struct nlmsghdr header;
		struct unix_diag_msg body;
		struct nlattr attribute;
		uint32_t peer;
	} answer = { .peer = 0 };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	/* The kernel has answered before send(2) returns. */
	bool answered = fd >= 0 && send(fd, &ask, sizeof(ask), 0) == sizeof(ask) &&
			recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) == sizeof(answer);

	if (fd >= 0)
		close(fd);
	return answered && answer.header.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
			       answer.body.udiag_type == SOCK_STREAM &&
			       answer.attribute.nla_type == UNIX_DIAG_PEER ?
		       answer.peer :
		       0;
}

/* The inode of the other end; 0 if it is not in the table, or no process has it yet. */
static uint32_t connected_end(const struct socket_table *table, struct peer_query *query)
{
	const struct socket_row *own = NULL;
	uint32_t end;

	for (size_t i = 0; i < table->count && !own; i++)
		if (table->rows[i].inode == query->socket)
			own = &table->rows[i];
	end = own ? 0 : unix_end(query->socket);
	query->connected = own ? own->connected : end != 0;
	if (!own)
		return end;
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->rows[i].local, own->remote) == 0 &&
		    strcmp(table->rows[i].remote, own->local) == 0)
			return table->rows[i].inode;
	return 0;
}

static uint32_t listening_end(const struct socket_table *table, uint32_t port)
{
	for (size_t i = 0; port && i < table->count; i++)
		if (table->rows[i].listens == port)
			return table->rows[i].inode;
	return 0;
}

/*
 * A search for those who hold sockets. A connection may be gone before its holder is found: then it is whoever listens for
 * the next one.
 */
struct search {
	struct peer_query *queries;
	uint32_t connected[MAX_PEER_QUERIES],
		listening[MAX_PEER_QUERIES]; /* inodes; 0: not looked for */
	pid_t listener[MAX_PEER_QUERIES];
	size_t count, left, links;
};

static void note_holder(struct search *search, uint32_t inode, pid_t pid)
{
	for (size_t i = 0; i < search->count; i++) {
		if (search->connected[i] == inode) {
			search->queries[i].peer = pid;
			search->connected[i] = 0;
			search->left--;
		}
		if (search->listening[i] == inode) {
			search->listener[i] = pid;
			search->listening[i] = 0;
			search->left--;
		}
	}
}

static void look_at_descriptors(struct search *search, const char *proc, pid_t pid)
{
	char path[PATH_MAX], target[LINK_LEN];
	struct dirent *entry;
	unsigned long inode;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%d/fd", proc, (int)pid);
	dir = opendir(path);
	if (!dir)
		return; /* gone, or not ours to read */
	while (search->left && search->links < MOST_LINKS && (entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		search->links++;
		if (n <= 0)
			continue;
		target[n] = '\0';
		if (sscanf(target, "socket:[%lu]", &inode) == 1 && inode)
			note_holder(search, (uint32_t)inode, pid);
	}
	closedir(dir);
}

static void look_at_processes(struct search *search, const char *proc)
{
	struct dirent *entry;
	DIR *dir = opendir(proc);

	while (dir && search->left && search->links < MOST_LINKS && (entry = readdir(dir))) {
		uint64_t pid;

		if (count_parse(entry->d_name, INT_MAX, &pid) == 0)
			look_at_descriptors(search, proc, (pid_t)pid);
	}
	if (dir)
		closedir(dir);
}

void peers_find(struct peer_query *queries, size_t count, const char *proc)
{
	struct search search = { .queries = queries };
	struct socket_table table = { .namespace = "" };

	search.count = count < MAX_PEER_QUERIES ? count : MAX_PEER_QUERIES;
	for (size_t i = 0; i < search.count; i++) {
		table_of(&table, proc, queries[i].pid);
		queries[i].peer = 0;
		search.connected[i] = connected_end(&table, &queries[i]);
		search.listening[i] = listening_end(&table, queries[i].port);
		search.left += (search.connected[i] != 0) + (search.listening[i] != 0);
	}
	if (search.left)
		look_at_processes(&search, proc);
	for (size_t i = 0; i < search.count; i++)
		if (!queries[i].peer)
			queries[i].peer = search.listener[i];
	free(table.rows);
}
