// SPDX-License-Identifier: BSD-2-Clause
#include "collect/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { ENTRIES_LEN = 8192 };

int folder_each(const char *path, bool (*each)(void *context, const char *name), void *context)
{
	_Alignas(struct dirent64) char entries[ENTRIES_LEN];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;
	bool more = !err;
	ssize_t n = 0;

	while (more && (n = getdents64(fd, entries, sizeof(entries))) > 0)
		for (ssize_t at = 0; more && at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(entries + at);

			more = each(context, entry->d_name);
			at += entry->d_reclen;
		}
	if (n < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}
