// SPDX-License-Identifier: BSD-2-Clause
/* Who is at the other end: of pipes, UNIX sockets and locks of files; and children that have ended. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/order.h"
#include "base/text.h"
#include "collect/procfs.h"
#include "collect/waits.h"

enum { MOST_FDS = 4096, LOCKS_LEN = 256 * 1024, NETLINK_LEN = 32768 };

/* The other end of a UNIX socket; 0: it listens. */
static void take_peer(struct waits *waits, uint64_t inode, uint64_t peer)
{
	for (size_t i = 0; i < waits->thread_count; i++) {
		struct wait_thread *thread = &waits->threads[i];

		for (size_t j = 0; j < thread->inode_count; j++) {
			if (!thread->inodes[j].socket || thread->inodes[j].inode != inode)
				continue;
			thread->inodes[j].socket = false;
			thread->inodes[j].inode = peer;
			if (!peer)
				thread->ends |= ENDS_CALLER;
		}
	}
}

/* One that was not accepted yet has no other end but the socket that listens, which knows of it. */
static void take_message(struct waits *waits, const struct nlmsghdr *header)
{
	const struct unix_diag_msg *message = NLMSG_DATA(header);
	int left = (int)header->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*message));
	bool listens = message->udiag_state == TCP_LISTEN;

	if (left < 0)
		return;
	for (const struct rtattr *a = (const struct rtattr *)(message + 1); RTA_OK(a, left);
	     a = RTA_NEXT(a, left)) {
		const uint32_t *numbers = RTA_DATA(a);
		size_t count = RTA_PAYLOAD(a) / sizeof(*numbers);

		if (a->rta_type == UNIX_DIAG_PEER && count && numbers[0] && !listens)
			take_peer(waits, message->udiag_ino, numbers[0]);
		for (size_t i = 0; a->rta_type == UNIX_DIAG_ICONS && i < count; i++)
			take_peer(waits, numbers[i], message->udiag_ino);
	}
	if (listens)
		take_peer(waits, message->udiag_ino, 0);
}

static bool ask_sockets(int sock)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req body;
	} ask = { .header = { .nlmsg_len = sizeof(ask),
			      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		  .body = { .sdiag_family = AF_UNIX,
			    .udiag_states = ~0U,
			    .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS } };

	return send(sock, &ask, sizeof(ask), 0) == (ssize_t)sizeof(ask);
}

static void read_peers(struct waits *waits, int sock)
{
	static _Alignas(struct nlmsghdr) char data[NETLINK_LEN];
	ssize_t n;

	while ((n = recv(sock, data, sizeof(data), 0)) > 0) {
		size_t left = (size_t)n;

		for (const struct nlmsghdr *h = (const struct nlmsghdr *)data; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				return;
			take_message(waits, h);
		}
	}
}

/* Are there any that wait to be looked up? `give_up`: these are of another family, or of another network namespace. */
static bool has_sockets(struct waits *waits, bool give_up)
{
	bool any = false;

	for (size_t i = 0; i < waits->thread_count; i++) {
		struct wait_thread *thread = &waits->threads[i];

		for (size_t j = 0; j < thread->inode_count; j++) {
			if (!thread->inodes[j].socket)
				continue;
			any = true;
			if (give_up) {
				thread->inodes[j].socket = false;
				thread->ends |= ENDS_OUTSIDE;
			}
		}
	}
	return any;
}

void waits_read_sockets(struct waits *waits)
{
	int sock;

	if (!has_sockets(waits, false))
		return;
	sock = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (sock >= 0 && ask_sockets(sock))
		read_peers(waits, sock);
	if (sock >= 0)
		close(sock);
	has_sockets(waits, true);
}

/* "1: POSIX  ADVISORY  WRITE 4711 08:01:1234 0 EOF"; one that waits for it has "->" behind the number. */
static bool parse_lock(char *line, long *number, bool *waits_for, pid_t *pid)
{
	char *word, *next = line, *end;
	int at = 0;

	*waits_for = false;
	*number = strtol(line, &end, 10);
	if (*end != ':')
		return false;
	next = end + 1;
	while ((word = strsep(&next, " "))) {
		if (!*word)
			continue;
		if (strcmp(word, "->") == 0) {
			*waits_for = true;
		} else if (++at == 4) {
			*pid = (pid_t)strtol(word, NULL, 10);
			return true;
		}
	}
	return false;
}

static void take_lock(struct waits *waits, pid_t waiter, pid_t holder)
{
	for (size_t i = 0; i < waits->thread_count; i++) {
		struct wait_thread *thread = &waits->threads[i];
		const char *name = waits_call_name(thread->call);

		if (!thread->known || thread->pid != waiter || !name ||
		    (strcmp(name, "flock") != 0 && strcmp(name, "fcntl") != 0))
			continue;
		thread->kind = WAIT_FILE_LOCK;
		thread->ends = holder > 0 ? ENDS_PROCESS : ENDS_JOB;
		thread->waker = holder;
	}
}

void waits_read_locks(struct waits *waits)
{
	char *text = malloc(LOCKS_LEN), *next = text, *line;
	long held = -1;
	pid_t holder = 0;
	int fd = text ? open("/proc/locks", O_RDONLY | O_CLOEXEC) : -1;
	size_t used = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text + used, LOCKS_LEN - 1 - used)) > 0)
		used += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (text)
		text[used] = '\0';
	while ((line = strsep(&next, "\n"))) {
		long number;
		bool waits_for;
		pid_t pid;

		if (!parse_lock(line, &number, &waits_for, &pid))
			continue;
		if (!waits_for) {
			held = number;
			holder = pid;
		} else if (number == held) {
			take_lock(waits, pid, holder);
		}
	}
	free(text);
}

/* The inodes that are waited for, each once, in their order. */
struct wanted {
	uint64_t *list;
	size_t count;
};

static int by_number(const void *a, const void *b)
{
	return compare_numbers(*(const uint64_t *)a, *(const uint64_t *)b);
}

static void collect_wanted(struct wanted *wanted, const struct waits *waits)
{
	size_t count = 0;

	wanted->count = 0;
	wanted->list = calloc(waits->thread_count * WAIT_INODES + 1, sizeof(*wanted->list));
	if (!wanted->list)
		return;
	for (size_t i = 0; i < waits->thread_count; i++)
		for (size_t j = 0; j < waits->threads[i].inode_count; j++)
			wanted->list[count++] = waits->threads[i].inodes[j].inode;
	if (count)
		qsort(wanted->list, count, sizeof(*wanted->list), by_number);
	for (size_t i = 0; i < count; i++)
		if (!i || wanted->list[i] != wanted->list[i - 1])
			wanted->list[wanted->count++] = wanted->list[i];
}

static bool is_wanted(const struct wanted *wanted, uint64_t inode)
{
	return wanted->count &&
	       bsearch(&inode, wanted->list, wanted->count, sizeof(inode), by_number);
}

static uint32_t mode_of(pid_t pid, const char *fd)
{
	char name[64], text[1024];
	const char *flags;

	snprintf(name, sizeof(name), "fdinfo/%.20s", fd);
	if (procfs_read(pid, name, text, sizeof(text)) < 0 || !(flags = strstr(text, "flags:")))
		return HOLDS_READER | HOLDS_WRITER;
	switch (strtoul(flags + strlen("flags:"), NULL, 8) & O_ACCMODE) {
	case O_RDONLY:
		return HOLDS_READER;
	case O_WRONLY:
		return HOLDS_WRITER;
	default:
		return HOLDS_READER | HOLDS_WRITER;
	}
}

static void add_holder(struct waits *waits, uint64_t inode, pid_t pid, const char *comm,
		       uint32_t modes)
{
	struct wait_holder *h;

	for (size_t i = waits->holder_count; i > 0; i--) {
		h = &waits->holders[i - 1];
		if (h->pid != pid)
			break;
		if (h->inode == inode) {
			h->modes |= modes;
			return;
		}
	}
	if (waits->holder_count == WAITS_MOST_HOLDERS)
		return;
	h = &waits->holders[waits->holder_count];
	*h = (struct wait_holder){ .inode = inode, .pid = pid, .modes = modes };
	text_copy(h->comm, sizeof(h->comm), comm);
	waits->holder_count++;
}

static void read_descriptors(struct waits *waits, const struct wanted *wanted, pid_t pid,
			     const char *comm)
{
	char folder[64], link[64];
	const struct dirent *entry;
	int left = MOST_FDS;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", pid);
	dir = opendir(folder);
	if (!dir)
		return;
	while (left-- > 0 && (entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
		uint64_t inode;

		if (n <= 0)
			continue;
		link[n] = '\0';
		if (strncmp(link, "pipe:[", 6) != 0 && strncmp(link, "socket:[", 8) != 0)
			continue;
		inode = strtoull(strchr(link, '[') + 1, NULL, 10);
		if (is_wanted(wanted, inode))
			add_holder(waits, inode, pid, comm, mode_of(pid, entry->d_name));
	}
	waits->cut = waits->cut || left < 0;
	closedir(dir);
}

static bool in_job(const struct waits *waits, pid_t pid)
{
	for (size_t i = 0; i < waits->thread_count; i++)
		if (waits->threads[i].pid == pid)
			return true;
	return false;
}

/* The end of a child, from field 52 of its stat on. */
static void add_gone(struct waits *waits, pid_t pid, pid_t ppid, const char *comm, const char *stat)
{
	const char *code = strrchr(stat, ' ');
	struct wait_gone *gone;
	size_t place = 0;
	long status;

	while (place < waits->gone_count && waits->gone[place].pid != pid)
		place++;
	if (!code || place == WAITS_MOST_GONE)
		return;
	status = strtol(code, NULL, 10);
	gone = &waits->gone[place];
	*gone = (struct wait_gone){ .pid = pid,
				    .ppid = ppid,
				    .signal = (int)(status & 0x7f),
				    .status = (int)(status >> 8) };
	text_copy(gone->comm, sizeof(gone->comm), comm);
	if (place == waits->gone_count)
		waits->gone_count++;
}

/* "PID (NAME) STATE PPID ..." */
static void read_process(struct waits *waits, const struct wanted *wanted, pid_t pid)
{
	char stat[2048], *name, *end;
	pid_t ppid;

	if (procfs_read(pid, "stat", stat, sizeof(stat)) <= 0)
		return;
	name = strchr(stat, '(');
	end = strrchr(stat, ')');
	if (!name || !end || end[1] != ' ')
		return;
	*end = '\0';
	ppid = (pid_t)strtol(end + 3, NULL, 10);
	if (end[2] == 'Z') {
		if (in_job(waits, ppid) && !in_job(waits, pid))
			add_gone(waits, pid, ppid, name + 1, end + 2);
		return;
	}
	if (wanted->count)
		read_descriptors(waits, wanted, pid, name + 1);
}

static int by_inode(const void *a, const void *b)
{
	const struct wait_holder *x = a, *y = b;
	int order = compare_numbers(x->inode, y->inode);

	return order ? order : compare_numbers((uint64_t)x->pid, (uint64_t)y->pid);
}

void waits_read_holders(struct waits *waits)
{
	const pid_t whystall = getppid();
	const struct dirent *entry;
	struct wanted wanted;
	DIR *dir = opendir("/proc");

	collect_wanted(&wanted, waits);
	waits->holder_count = 0;
	while (dir && (entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid != whystall)
			read_process(waits, &wanted, pid);
	}
	if (dir)
		closedir(dir);
	if (waits->holder_count)
		qsort(waits->holders, waits->holder_count, sizeof(waits->holders[0]), by_inode);
	free(wanted.list);
}
