// SPDX-License-Identifier: BSD-2-Clause
#include "collect/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/text.h"

/* A path has up to 4,096 bytes, of which a newline is told by four. */
enum { BUFFER_LEN = 32768 };

/* Its number, and the character behind it, which is passed over. */
static bool take(char **at, int base, char end, uint64_t *value)
{
	char *rest;

	errno = 0;
	*value = strtoull(*at, &rest, base);
	if (rest == *at || errno || *rest != end)
		return false;
	*at = rest + 1;
	return true;
}

/* "START-END PERMS OFFSET MAJOR:MINOR INODE   /PATH" */
bool mapped_parse_line(char *line, struct mapped *mapped)
{
	static const char deleted[] = " (deleted)";
	uint64_t major, minor;
	char *at = line, *slash;
	size_t len;

	if (!take(&at, 16, '-', &mapped->start) || !take(&at, 16, ' ', &mapped->end))
		return false;
	if (strnlen(at, 5) < 5 || at[2] != 'x' || at[4] != ' ')
		return false;
	at += 5;
	if (!take(&at, 16, ' ', &mapped->offset) || !take(&at, 16, ':', &major) ||
	    !take(&at, 16, ' ', &minor) || !take(&at, 10, ' ', &mapped->inode))
		return false;
	mapped->major = (unsigned int)major;
	mapped->minor = (unsigned int)minor;
	at += strspn(at, " ");
	slash = strrchr(at, '/');
	if (!mapped->inode || at[0] != '/' || !slash)
		return false;
	len = strlen(slash + 1);
	if (len >= sizeof(deleted) && strcmp(slash + 1 + len - (sizeof(deleted) - 1), deleted) == 0)
		slash[1 + len - (sizeof(deleted) - 1)] = '\0';
	return text_copy(mapped->name, sizeof(mapped->name), slash + 1);
}

/* Whole lines of `buffer`; what is left of it moves to its beginning. Returns whether to go on. */
static bool take_lines(char *buffer, size_t *used, bool *skipping,
		       bool (*each)(void *context, const struct mapped *mapped), void *context)
{
	char *line = buffer, *end = buffer + *used, *newline;
	struct mapped mapped;

	while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
		*newline = '\0';
		if (!*skipping && mapped_parse_line(line, &mapped) && !each(context, &mapped))
			return false;
		*skipping = false;
		line = newline + 1;
	}
	*used = (size_t)(end - line);
	memmove(buffer, line, *used);
	if (*used == BUFFER_LEN) {
		/* Longer than any. */
		*skipping = true;
		*used = 0;
	}
	return true;
}

int mapped_list(int folder, bool (*each)(void *context, const struct mapped *mapped), void *context,
		size_t *bytes)
{
	int fd = openat(folder, "maps", O_RDONLY | O_CLOEXEC);
	char buffer[BUFFER_LEN];
	size_t used = 0, total = 0;
	bool skipping = false;
	ssize_t n = 0;
	int err = fd < 0 ? -errno : 0;

	while (fd >= 0 && total < MAX_MAPS_BYTES &&
	       (n = read(fd, buffer + used, BUFFER_LEN - used)) > 0) {
		used += (size_t)n;
		total += (size_t)n;
		if (!take_lines(buffer, &used, &skipping, each, context))
			break;
	}
	if (!err)
		err = n < 0 ? -errno : 0;
	*bytes = total;
	if (fd >= 0)
		close(fd);
	return err;
}

int mapped_open(int folder, const struct mapped *mapped)
{
	char path[64];
	struct statfs system;
	struct stat st;
	int place, fd = -1, err = 0;

	snprintf(path, sizeof(path), "map_files/%llx-%llx", (unsigned long long)mapped->start,
		 (unsigned long long)mapped->end);
	/* To open a device is to use it: first only the place. */
	place = openat(folder, path, O_PATH | O_CLOEXEC);
	if (place < 0)
		return -errno;
	if (fstatfs(place, &system) != 0)
		err = errno == ENOSYS ? -EREMOTE : -errno; /* FUSE, whose server does not know it */
	else if (system.f_type == FUSE_SUPER_MAGIC)
		err = -EREMOTE;
	else if (fstat(place, &st) != 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode))
		err = -EINVAL;
	if (!err) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", place);
		fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			err = -errno;
	}
	close(place);
	return err ? err : fd;
}
