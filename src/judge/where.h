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
	enum where_kind kind;
	const char *name; /* of the report; "" for WHERE_PROCESS */
	pid_t pid;        /* for WHERE_PROCESS */
	double pct;       /* of the waits that the verdict blames */
};

/*
 * Fill `list`, the largest of each kind first, kinds in their order. Files, mounts and devices: of what the critical
 * producers' processes (or the trainer that reads itself) waited for storage in the whole window, only for a verdict that
 * blames storage for some part. Processes: of what producers did on the waiting clock, by process. Entries below 1 % are left
 * out. Returns how many.
 */
size_t where_find(struct where list[WHERE_MOST], const struct verdict *verdict,
		  const struct report *report);

#endif
