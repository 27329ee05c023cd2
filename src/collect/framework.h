/* SPDX-License-Identifier: BSD-2-Clause */
/* Which framework a process has in its memory, told by the names of the libraries that it has mapped. */
#ifndef WHYSTALL_COLLECT_FRAMEWORK_H
#define WHYSTALL_COLLECT_FRAMEWORK_H

#include <stddef.h>
#include <stdint.h>

/* enum framework, a bit each; 0 for any other file. `name` is without its folders. */
unsigned int framework_of_file(const char *name);

/* Looks at one process, again after a pause that grows while nothing new is found; a young one is still loading. All 0 to begin with. */
struct framework_looks {
	uint64_t due_ns, pause_ns;
	unsigned int frameworks;
};

/*
 * Look at the process whose folder in /proc is open as `folder`, and which began at `start_ns`. Returns how many bytes were read, 0 where it may not be looked at or it is
 * not time yet.
 */
size_t framework_look(struct framework_looks *looks, int folder, uint64_t start_ns,
		      uint64_t now_ns);

#endif
