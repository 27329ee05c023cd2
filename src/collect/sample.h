/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sample: cumulative counters at one instant. Collectors fill it and never subtract or divide; that
 * is the model's work.
 */
#ifndef WHYSTALL_COLLECT_SAMPLE_H
#define WHYSTALL_COLLECT_SAMPLE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "abi.h"

enum { DISK_NAME_LEN = 32, CGROUP_LEN = 256 };

/*
 * Where the counters come from. Of /proc: rows of I/O have the bytes of a process alone (device 0, no requests), and where
 * threads were is known from looks at them: no edges, files or concurrency.
 */
enum sample_source { SOURCE_BPF, SOURCE_PROC };

/* The kernel's own statistics of one disk or partition (/proc/diskstats), failed requests included. */
struct disk_sample {
	uint32_t device; /* major << 20 | minor */
	char name[DISK_NAME_LEN];
	bool partition;
	bool hidden; /* no statistics, only a name: a path of a multipath drive, or /proc/diskstats is masked */
	uint64_t reads, read_bytes;
	uint64_t writes, write_bytes;
	uint64_t discards, discard_bytes;
	uint64_t flushes;
	uint64_t in_flight;         /* requests, at this instant */
	uint64_t busy_ms;           /* wraps at 2^32 */
	uint64_t read_ms, write_ms; /* of all its requests together; wrap at 2^32 */
};

/* How long processes of this host, or of this container, could not go on for want of something: some of them, or all. */
enum pressure_kind { PRESSURE_CPU, PRESSURE_IO, PRESSURE_MEMORY, PRESSURES };

struct pressure_sample {
	bool known;
	uint64_t some_us, full_us;
};

/* What a process has in its memory, a bit each. */
enum framework {
	FRAMEWORK_PYTHON = 1,
	FRAMEWORK_PYTORCH = 2,
	FRAMEWORK_TENSORFLOW = 4,
	FRAMEWORK_DALI = 8,
};

/* An owner, and what user space found out about it. */
struct owner_sample {
	struct owner owner;
	unsigned int frameworks;     /* enum framework; 0 as well where nobody has looked */
	unsigned int marker_missing; /* of them, those whose input marker could not be watched */
	char cgroup[CGROUP_LEN];     /* path, "" where unknown */
	bool bytes_unknown; /* of SOURCE_PROC: its counters may not be read, so that it has no rows */
};

/* Waits of one thread that another one ended. */
struct edge_sample {
	struct edge_key key;
	struct edge edge;
};

/* Bytes between an owner and a file's cached pages, and waits for it. */
struct file_sample {
	uint32_t owner;
	uint64_t owner_start_boot_ns; /* tells an earlier owner with this index */
	uint64_t read_bytes, write_bytes;
	uint64_t wait_ns[WAIT_KINDS];
	uint32_t file_system;
	uint32_t device; /* that it is on; a number without a device for NFS, FUSE and their like */
	char *path;      /* NULL: not asked for, or not known */
	const char *mount; /* where its file system is mounted, NULL: not known; of the source */
};

struct sample {
	enum sample_source source;
	uint64_t looks;   /* of SOURCE_PROC: how often all threads were looked at */
	uint64_t mono_ns; /* CLOCK_MONOTONIC */
	uint64_t boot_ns; /* CLOCK_BOOTTIME, the clock of struct owner */
	struct timespec wall;

	struct pressure_sample pressure[PRESSURES];

	struct owner_sample *owners; /* by index; OWNER_FREE ones have no meaning */
	size_t owner_count, owner_capacity;

	struct io_row *rows; /* in use ones only, in no order */
	size_t row_count, row_capacity;

	struct disk_sample *disks;
	size_t disk_count, disk_capacity;
	size_t disks_before; /* places of `disks` with what an earlier reading has left there */

	struct file_sample *files; /* by index of BPF's table, which is never reused */
	size_t file_count, file_capacity;

	/* By index of BPF's table; free ones have no meaning. Empty without a ledger. */
	bool has_ledger;
	struct thread *threads;
	size_t thread_count, thread_capacity;
	uint64_t threads_ns; /* CLOCK_MONOTONIC, up to when the threads' times reach */

	struct concurrency *concurrency; /* by index of BPF's table, which is never reused */
	size_t concurrency_count, concurrency_capacity;

	struct edge_sample *edges;
	size_t edge_count, edge_capacity;

	uint64_t compat_sleeps; /* of 32-bit programs, whose system calls are not known */

	struct loss loss;
};

/* Set the clocks; everything else is left. */
void sample_set_time(struct sample *sample);

/* Append one uninitialised element, for the collector to fill; NULL when out of memory. */
struct io_row *sample_add_row(struct sample *sample);
struct owner_sample *sample_add_owner(struct sample *sample);
struct disk_sample *sample_add_disk(struct sample *sample);
struct file_sample *sample_add_file(struct sample *sample);
struct thread *sample_add_thread(struct sample *sample);
struct edge_sample *sample_add_edge(struct sample *sample);
struct concurrency *sample_add_concurrency(struct sample *sample);

/* Empty it; the memory is kept for the next one. */
void sample_clear(struct sample *sample);

/* Give the memory back. */
void sample_free(struct sample *sample);

/*
 * The disk or partition with this number, NULL if the kernel listed none. `hint`: its place in another sample, most often
 * its place in this one too; or 0.
 */
const struct disk_sample *sample_find_disk(const struct sample *sample, uint32_t device,
					   size_t hint);

/* Add the counters of `row` to `sum`; its key is left. */
void io_row_add(struct io_row *sum, const struct io_row *row);

static inline uint32_t device_number(uint32_t major, uint32_t minor)
{
	return major << 20 | minor;
}

static inline uint32_t device_major(uint32_t device)
{
	return device >> 20;
}

static inline uint32_t device_minor(uint32_t device)
{
	return device & 0xfffff;
}

#endif
