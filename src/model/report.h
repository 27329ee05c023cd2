/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happened between two samples, by process and by device: everything that a report shows. All
 * figures are made here; whoever shows them computes nothing.
 */
#ifndef WHYSTALL_MODEL_REPORT_H
#define WHYSTALL_MODEL_REPORT_H

#include <sys/types.h>

#include "base/fault.h"
#include "base/scratch.h"
#include "collect/dataset.h"
#include "collect/device.h"
#include "collect/limits.h"
#include "model/io.h"
#include "model/ledger.h"

/* What a process moved between a file's cached pages and devices, and how long its threads waited for it. */
struct file_report {
	const char *path;  /* of the sample */
	const char *mount; /* NULL: not known; of the sample */
	bool shown;        /* among the SHOWN_FILES of its process with the most bytes, or waits */
	uint64_t bytes;
	uint64_t read_bytes; /* of them */
	uint32_t owner;
	uint32_t device;
	char device_name[DISK_NAME_LEN]; /* "" where it is on none: NFS, FUSE and their like */
	uint64_t wait_ns;
	uint64_t kind_ns[WAIT_KINDS]; /* read, write, meta, fault */
};

/* So many files of a process are shown of each kind: most bytes, most waited for. */
enum { SHOWN_FILES = 10 };

struct thread_report {
	uint32_t owner;
	pid_t tid;
	char comm[COMM_LEN + 1];
	struct ledger ledger;
	struct ledger waiting; /* the part in which its trainer's clock ran */
};

struct process_report {
	pid_t pid; /* 0: stands for no single process, see comm */
	pid_t ppid;
	char comm[CMDLINE_LEN + 16]; /* a name in brackets where pid is 0 */
	char cmdline[CMDLINE_LEN];   /* for "[kernel]" and its like what is known of it */
	const char *cgroup;          /* "" where unknown; of the sample */
	unsigned int threads;
	bool ended;
	bool server; /* outside the job, and serves it: of it only the time of its threads is known */
	double start_s, end_s;     /* from the start of the window; end_s where it ended */
	double block_s;            /* Q to C of its requests, summed */
	bool io_known;             /* always with BPF */
	uint64_t bytes;            /* each counted once, at the topmost device */
	struct file_report *files; /* most waited for first, then most bytes */
	size_t file_count;
	struct file_report *largest[SHOWN_FILES]; /* of them, those with the most bytes */
	size_t largest_count;
	size_t files_moved; /* of them, those with any bytes */
	struct io_row *io;  /* by device, operation, cause */
	size_t io_count;
	struct ledger ledger;    /* of its threads; where the report has ledgers */
	struct ledger waiting;   /* the part in which its trainer's clock ran */
	pid_t trainer_pid;       /* 0: not known */
	double clock_s;          /* its own waiting clock */
	bool marked;             /* that follows its input markers */
	unsigned int frameworks; /* enum framework, a bit each */
	uint64_t unplaced_ns;    /* of its waits for storage: without a place in `files` */
	const struct thread_report *thread_rows; /* the one that lived longest first */
	size_t thread_count;
	uint32_t owner;
};

/* Latency of the job's reads by how many others were in flight. */
struct concurrency_report {
	bool device; /* else a file system */
	char name
		[256]; /* of the device; where the file system is mounted, "" where that is not known */
	uint64_t count[CONCURRENCY_CLASSES];
	double mean_s[CONCURRENCY_CLASSES]; /* where there are any */
};

/* How long a thread of the job waited for what another one then ended. */
struct edge_report {
	pid_t wakee_tid, wakee_pid;
	pid_t waker_tid;     /* 0: a thread of the kernel */
	pid_t waker_pid;     /* 0: not of the job */
	pid_t waker_process; /* of the job or not; 0: not known */
	uint64_t ns[EDGE_KINDS];
	uint64_t inside_ns; /* of it, inside an input marker */
	uint64_t waits;
};

/*
 * How long a thread of the job waited for a process of the same host, outside the job: for a socket whose other end that one
 * has, or for files on a disk whose data it has (NBD).
 */
struct peer_report {
	pid_t tid, pid;
	enum edge_kind kind; /* network, storage */
	pid_t server;        /* that process */
	uint64_t ns;
};

struct device_report {
	uint32_t device;
	char name[DISK_NAME_LEN];
	char parents[MAX_PARENTS][DISK_NAME_LEN];
	size_t parent_count;
	bool counted; /* always with BPF; of SOURCE_PROC, in_diskstats */
	bool in_diskstats, coverage_known, busy_known;
	uint64_t requests;
	uint64_t read_bytes, write_bytes; /* everybody's */
	uint64_t job_read_bytes, job_write_bytes;
	uint64_t unattributed_read_bytes, unattributed_write_bytes;
	uint64_t diskstats_read_bytes, diskstats_write_bytes;
	double coverage_pct;
	/* By diskstats. Means alone, from start to completion. */
	struct latency read, write;
	double busy_pct;
};

/* Of the window: how much of it some, or all, of those that had something to do could not go on. */
struct pressure_report {
	bool known;
	double some_pct, full_pct;
};

struct report {
	/*
	 * Of SOURCE_PROC there are no requests of processes, and no devices of their bytes: no block_s, no above_block, no
	 * files, edges and concurrency, and of devices what diskstats says.
	 */
	enum sample_source source;
	uint64_t looks; /* of SOURCE_PROC, in the window, at all threads */
	double margin_pct; /* where there are any: a class's share of a thread's time may be so much off, in 95 of 100 */
	struct timespec start;
	double seconds;
	struct pressure_report pressure[PRESSURES];
	struct process_report *processes; /* most bytes first */
	size_t process_count;
	struct device_report *devices; /* most bytes first */
	size_t device_count;
	struct loss loss;
	uint64_t job_bytes;        /* each counted once, at the topmost device */
	struct io_row *rows;       /* storage of processes[].io */
	struct file_report *files; /* storage of processes[].files */

	bool has_ledger;
	struct ledger job;  /* of all its threads */
	double job_block_s; /* Q to C of all its requests, at topmost devices */
	bool above_block;   /* storage waits that its requests do not explain */
	struct concurrency_report *concurrency;
	size_t concurrency_count;
	struct edge_report *edges; /* the longest first */
	size_t edge_count;
	uint64_t
		compat_sleeps; /* of 32-bit programs: other, since their system calls are not known */
	struct scratch scratch;            /* of rows, edges and what they were made of */
	struct thread_report *thread_rows; /* storage of processes[].thread_rows */
	const struct limits
		*limits; /* of trainers, where they are known; whoever sets them keeps them */
	size_t limits_count;
	const struct dataset *datasets; /* of trainers that wait for storage; likewise */
	size_t dataset_count;
	bool started; /* by whystall: the job did nothing before the window; likewise */
	const struct peer_report *peers; /* likewise; in the order of thread IDs and kinds */
	size_t peer_count;
};

/*
 * Build the report of the time from `from` to `to`. `everybody`: list only processes that did I/O (-a).
 * `choices`: these devices are listed even without I/O. `to` must live as long as the report. Returns 0
 * or -ENOMEM; free it with report_free().
 */
int report_build(struct report *report, const struct sample *from, const struct sample *to,
		 bool everybody, const struct device_choices *choices);

/* NULL if it is not in the report. */
const struct process_report *report_find_process(const struct report *report, pid_t pid);

/* NULL where they are not known. */
const struct limits *report_find_limits(const struct report *report, pid_t pid);

/* The name of a device of the report; "" if it is not in it. */
const char *report_device_name(const struct report *report, uint32_t device);

void report_free(struct report *report);

#endif
