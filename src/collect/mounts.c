// SPDX-License-Identifier: BSD-2-Clause
#include "collect/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/sample.h"

/* Blanks and backslashes are written as three octal digits: "\040". In place. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
		    in[3] >= '0' && in[3] <= '7') {
			*out++ = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 3;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
}

static struct mount *find(const struct mounts *mounts, const struct mount *mount)
{
	for (size_t i = 0; i < mounts->count; i++) {
		struct mount *m = &mounts->list[i];

		if (m->namespace == mount->namespace && m->file_system == mount->file_system &&
		    strcmp(m->root, mount->root) == 0 && strcmp(m->target, mount->target) == 0)
			return m;
	}
	return NULL;
}

/* Takes over the strings of `mount`. */
static int add(struct mounts *mounts, const struct mount *mount)
{
	if (mounts->count == mounts->capacity) {
		size_t capacity = mounts->capacity ? 2 * mounts->capacity : 32;
		struct mount *list = reallocarray(mounts->list, capacity, sizeof(*list));

		if (!list)
			return -ENOMEM;
		mounts->list = list;
		mounts->capacity = capacity;
	}
	mounts->list[mounts->count++] = *mount;
	return 0;
}

int mounts_add_line(struct mounts *mounts, const char *line, uint64_t namespace)
{
	struct mount mount = { .namespace = namespace };
	unsigned int major, minor;
	int err = 0;

	if (sscanf(line, "%*d %*d %u:%u %ms %ms", &major, &minor, &mount.root, &mount.target) ==
	    4) {
		mount.file_system = device_number(major, minor);
		unescape(mount.root);
		unescape(mount.target);
		struct mount *known = find(mounts, &mount);

		if (known) {
			known->gone = false;
		} else {
			err = add(mounts, &mount);
			if (!err)
				return 0;
		}
	}
	free(mount.root);
	free(mount.target);
	return err;
}

static int read_all(struct mounts *mounts, int fd, uint64_t namespace)
{
	FILE *f = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	if (!f) {
		err = -errno;
		close(fd);
		return err;
	}
	while (!err && getline(&line, &size, f) > 0)
		err = mounts_add_line(mounts, line, namespace);
	free(line);
	fclose(f);
	return err;
}

static int open_mountinfo(pid_t pid)
{
	char path[48];
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	else
		snprintf(path, sizeof(path), "/proc/self/mountinfo");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool own_has_changed(struct mounts *mounts)
{
	struct pollfd fd = { .fd = mounts->own_fd, .events = POLLPRI };

	return poll(&fd, 1, 0) > 0 && fd.revents & POLLERR;
}

static bool is_learnt(const struct mounts *mounts, uint64_t namespace)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->list[i].namespace == namespace)
			return true;
	return false;
}

int mounts_learn(struct mounts *mounts, pid_t pid, uint64_t *namespace)
{
	char path[48];
	struct stat st;
	int fd;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	else
		snprintf(path, sizeof(path), "/proc/self/ns/mnt");
	if (stat(path, &st) != 0)
		return -errno;
	*namespace = st.st_ino;
	if (is_learnt(mounts, st.st_ino) && (pid || !own_has_changed(mounts)))
		return 0;
	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->list[i].namespace == st.st_ino)
			mounts->list[i].gone = true;
	if (!pid && !mounts->own_fd) {
		fd = open_mountinfo(0);
		if (fd < 0)
			return fd;
		mounts->own_fd = fd;
	}
	fd = open_mountinfo(pid);
	return fd < 0 ? fd : read_all(mounts, fd, st.st_ino);
}

/* Is the path at or below a mount's root? `rest` is what follows it. */
static bool below(const char *inside, const char *root, const char **rest)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	*rest = inside + len;
	return strncmp(inside, root, len) == 0 && (!len || **rest == '/' || **rest == '\0');
}

/*
 * How much a mount tells: one that is there still, its own namespace first, then the process's; the larger
 * part of the tree.
 */
static int rank(const struct mount *m, uint64_t own, uint64_t namespace)
{
	int rank = m->namespace == own ? 4 : m->namespace == namespace ? 2 : 0;

	return rank + (m->gone ? 0 : 8) + (strcmp(m->root, "/") == 0);
}

static const struct mount *find_mount(const struct mounts *mounts, uint32_t file_system,
				      const char *inside, uint64_t own, uint64_t namespace)
{
	const struct mount *best = NULL;
	const char *rest;

	for (size_t i = 0; i < mounts->count; i++) {
		const struct mount *m = &mounts->list[i];

		if (m->file_system == file_system && below(inside, m->root, &rest) &&
		    (!best || rank(m, own, namespace) > rank(best, own, namespace)))
			best = m;
	}
	return best;
}

const char *mounts_path(const struct mounts *mounts, uint32_t file_system, const char *inside,
			uint64_t own, uint64_t namespace, char *out, size_t size)
{
	const struct mount *best = find_mount(mounts, file_system, inside, own, namespace);
	const char *target, *rest;
	int len;

	if (!best)
		return NULL;
	target = strcmp(best->target, "/") == 0 ? "" : best->target;
	below(inside, best->root, &rest);
	len = snprintf(out, size, "%s%s", target, *target || *rest ? rest : "/");
	return len > 0 && (size_t)len < size ? best->target : NULL;
}

void mounts_free(struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++) {
		free(mounts->list[i].root);
		free(mounts->list[i].target);
	}
	free(mounts->list);
	if (mounts->own_fd)
		close(mounts->own_fd);
	memset(mounts, 0, sizeof(*mounts));
}
