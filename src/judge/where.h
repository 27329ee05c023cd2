/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the waits of a verdict were: by file, mount and device, and by process. A pure function of the verdict and of what
 * the model found of files.
 */
#ifndef WHYSTALL_JUDGE_WHERE_H
#define WHYSTALL_JUDGE_WHERE_H

#include "judge/judge.h"
#include "model/report.h"

enum where_kind { WHERE_DEVICE, WHERE_MOUNT, WHERE_FILE, WHERE_PROCESS, WHERE_KINDS };
enum { WHERE_PER_KIND = 3, WHERE_MOST = WHERE_KINDS * WHERE_PER_KIND };

struct where {
	const char *name;   /* of the report; "" for WHERE_PROCESS */
	const char *device; /* that a mount or file is on; "" where it is on none */
	double pct;         /* of the waits that the verdict blames */
	enum where_kind kind;
	pid_t pid; /* for WHERE_PROCESS */
};

/*
 * Fill `list`, the largest of each kind first, kinds in their order. Files, mounts and devices: of what the critical
 * producers' processes (or the trainer that reads itself) waited for storage in the whole window, only for a verdict that
 * blames storage for some part. Processes: of what critical producers did on the waiting clock, by process. Entries below
 * 1 % are left out. Those of one kind add up to no more than the blame that they share. Returns how many; none where
 * memory is short.
 */
size_t where_find(struct where list[WHERE_MOST], const struct verdict *verdict,
		  const struct report *report);

/* Is it one of the processes whose waits for storage the verdict is about? */
bool where_is_blamed(const struct verdict *verdict, const struct process_report *process);

/* How long such a process waited for a file; what the trainer itself writes is no input, and left out. */
uint64_t where_file_wait_ns(const struct verdict *verdict, const struct process_report *process,
			    const struct file_report *file);

/* The same for storage as a whole, files that are not known included. */
uint64_t where_storage_ns(const struct verdict *verdict, const struct process_report *process);

/*
 * The deepest folder below which 90 % of these waits for files were. Returns its length in `path`, which is one of the
 * report's; 0 where that is only the root.
 */
size_t where_find_folder(const char **path, const struct verdict *verdict,
			 const struct report *report);

/* Device latency of what these processes read from a device. */
struct latency where_read_latency(const struct verdict *verdict, const struct report *report,
				  const char *device);

#endif
