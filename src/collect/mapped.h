/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files that a process runs code from. Source: /proc/PID/maps, whose names are an untrusted user's: they tell where to
 * look, never what is there.
 */
#ifndef WHYSTALL_COLLECT_MAPPED_H
#define WHYSTALL_COLLECT_MAPPED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAPPED_NAME_LEN = 256 };

struct mapped {
	uint64_t start, end; /* addresses */
	uint64_t offset;     /* in the file */
	uint64_t inode;
	unsigned int major,
		minor; /* of its file system; not what stat() says for btrfs and overlays */
	char name
		[MAPPED_NAME_LEN]; /* without its folders, and without what the kernel says of a deleted one */
};

/* A line of /proc/PID/maps, without its newline. False where it is no file, or no code; it may be changed. */
bool mapped_parse_line(char *line, struct mapped *mapped);

/*
 * Call `each` for those of the process whose folder in /proc is open as `folder`, until it returns false. Returns 0 or a
 * negative errno, and in `bytes` how much was read. Of a process with more than MAX_MAPS_BYTES of them the rest is left out:
 * 65,530 mappings, as many as the kernel allows by default, have 3 to 8 MB unless their paths are long.
 */
enum { MAX_MAPS_BYTES = 8 << 20 };
int mapped_list(int folder, bool (*each)(void *context, const struct mapped *mapped), void *context,
		size_t *bytes);

/*
 * Open the file of a mapping for reading, by the mapping itself and not by its name: it may be deleted, or in another mount
 * namespace. Only regular files are opened, and none on FUSE: -EREMOTE. Needs CAP_SYS_ADMIN. May take for ever, see apart.h.
 * Returns a descriptor or a negative errno.
 */
int mapped_open(int folder, const struct mapped *mapped);

#endif
