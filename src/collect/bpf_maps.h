/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables that BPF fills, mapped into this process: reading them takes no system call. Used by
 * bpf_source.c alone.
 */
#ifndef WHYSTALL_COLLECT_BPF_MAPS_H
#define WHYSTALL_COLLECT_BPF_MAPS_H

#include "base/fault.h"
#include "collect/batch.h"
#include "collect/mounts.h"
#include "collect/sample.h"
#include "collect/table.h"

struct markers;
struct whystall_bpf;

/* What user space keeps beside each owner. */
struct owner_note {
	uint64_t start_boot_ns; /* of the process that the note is about */
	bool asked;             /* /proc has been read */
	char cgroup[CGROUP_LEN];
	char cmdline[CMDLINE_LEN]; /* where BPF has none */
	uint32_t cmdline_len;
	uint64_t mount_namespace;
};

enum bpf_table {
	TABLE_ROWS,
	TABLE_OWNERS,
	TABLE_INFLIGHT,
	TABLE_FILES,
	TABLE_FILE_NAMES,
	TABLE_THREADS,
	TABLE_CONCURRENCY,
	TABLES,
};

struct bpf_maps {
	struct whystall_bpf *skel;
	/* Entries can be used once they have been reached, by one of the functions below or table_reach(). */
	struct io_row *rows;
	struct owner *owners;
	struct inflight *inflight;
	struct file_row *files;
	const char *file_names;
	struct thread *threads;
	struct concurrency *concurrency;
	struct table tables[TABLES];
	uint32_t max_rows, max_owners;

	struct owner_note *notes;  /* by owner */
	struct inflight *suspects; /* scratch of bpf_maps_catch_up() */
	struct sample disks;       /* likewise */
	struct batch batch;        /* scratch of all that read hashes */
	bool *retired;             /* by row: no longer found by BPF, to be added up when unused */
	uint32_t retired_count;
	uint32_t max_keys_used; /* above this many rows exited processes are added up */

	/* Sums of rows that were given back, by device, operation and cause. */
	struct io_row *exited;
	size_t exited_count;
	uint32_t exited_processes;

	const struct markers *markers; /* what is known of frameworks; NULL: nothing */
	struct mounts mounts;
	uint64_t own_mount_namespace;
};

/* Reach the places of a table that have been handed out, and return how many: the counter may go on beyond the table's end. */
uint32_t bpf_maps_used(struct table *table, const uint32_t *counter);
uint32_t bpf_maps_owners_used(struct bpf_maps *maps);

int bpf_maps_open(struct bpf_maps *maps, struct whystall_bpf *skel, struct fault *fault);

/* Append owners, threads and edges to the sample. Returns 0 or a negative errno. */
int bpf_maps_read_threads(struct bpf_maps *maps, struct sample *sample);

/* The same with rows, loss and all else. */
int bpf_maps_read(struct bpf_maps *maps, struct sample *sample);

/*
 * Count requests whose completion BPF did not see: they are still in the table although the kernel
 * says that their device is idle. To be called before each bpf_maps_read().
 */
int bpf_maps_catch_up(struct bpf_maps *maps, struct fault *fault);

/* Are there requests in flight too young for bpf_maps_catch_up() to judge? */
bool bpf_maps_has_fresh(const struct bpf_maps *maps);

/* See bpf_source_tidy(). */
int bpf_maps_tidy(struct bpf_maps *maps, struct fault *fault);

void bpf_maps_close(struct bpf_maps *maps);

#endif
