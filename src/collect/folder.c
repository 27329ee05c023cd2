// SPDX-License-Identifier: BSD-2-Clause
#include "collect/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

enum { ENTRIES_LEN = 8192 };

void folder_each(const char *path, bool (*each)(void *context, const char *name), void *context)
{
	_Alignas(struct dirent64) char entries[ENTRIES_LEN];
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool more = fd >= 0;
	ssize_t n = 0;

	while (more && (n = getdents64(fd, entries, sizeof(entries))) > 0)
		for (ssize_t at = 0; more && at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(entries + at);

			more = each(context, entry->d_name);
			at += entry->d_reclen;
		}
	if (fd >= 0)
		close(fd);
}
