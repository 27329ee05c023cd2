/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the system lets a process have: processors, bytes a second of a disk, and memory for cached files. Sources:
 * /proc/PID/status, /proc/meminfo and the control groups that the process is in. All of it may be missing: then nothing is known, and nothing is taken to be limited.
 */
#ifndef WHYSTALL_COLLECT_LIMITS_H
#define WHYSTALL_COLLECT_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LIMITED_DEVICES = 16, LIMITED_GROUP_LEN = 256 };

struct device_limit {
	uint32_t device; /* as in struct io_key */
	double read_bytes_s;
};

/* Memory that cached pages of files have, or could have: what nobody needs for anything else. */
struct memory_room {
	bool known;
	uint64_t bytes;      /* the least of the host's and of its control groups' */
	uint64_t host_bytes; /* the host's alone */
	char group
		[LIMITED_GROUP_LEN]; /* folder of the control group with the least; "": the host */
};

struct limits {
	pid_t pid;
	struct memory_room memory;
	double cpus; /* by affinity, cpuset and quota; 0: not known */
	struct device_limit devices[LIMITED_DEVICES];
	size_t device_count;
	/* Of the innermost group with a quota of processor time: for how long that was used up, on each processor, since the group was made */
	bool held_back_known;
	uint64_t held_back_ns;
	uint64_t held_back_before_ns; /* when the process was first looked at; of whoever looks */
};

/*
 * Processes that are looked at together are mostly in the same control groups, and all on one host: what they have in common is
 * read for the first of them. `root` is put in front of /proc and of the folders of control groups ("" but in tests), and has
 * to stay. NULL: out of memory.
 */
struct limits_reader *limits_reader_new(const char *root);

/* Forget what was read: from here on it is read anew. */
void limits_reader_begin(struct limits_reader *reader);

/* Takes NULL. */
void limits_reader_free(struct limits_reader *reader);

/* Read those of a process. Returns 0, or a negative errno if the process is not there. */
int limits_read(struct limits_reader *reader, struct limits *limits, pid_t pid);

/* How many processors a list has, as in Cpus_allowed_list ("0-3,8"); 0 where it is not one. */
unsigned int limits_count_cpus(const char *list);

#endif
