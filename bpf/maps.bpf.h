/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * All maps. They are defined in maps.bpf.c and declared `extern` elsewhere; the sizes given here are
 * defaults that user space may change before loading (collect/bpf_source.c).
 */
#ifndef WHYSTALL_MAPS_BPF_H
#define WHYSTALL_MAPS_BPF_H

#ifndef MAP_LINKAGE
#define MAP_LINKAGE extern
#endif

enum {
	MAX_OWNERS = 4096,
	MAX_PROCESSES = 4 * MAX_OWNERS, /* those without an owner of their own included */
	MAX_ROWS = 2048 + RESERVED_ROWS,
	MAX_INFLIGHT = 16384, /* a power of two */
	MAX_SPILLED = 4096,
	MAX_BIOS = 16384,
	MAX_INODES = 8192,
	MAX_CGROUPS = 1024,
	MAX_TARGET_PIDS = 4096,
	MAX_DEVICE_RANGES = 1024,
	TASK_ROWS = 4,
};

/* No row is found here, see row_find(). */
enum { ROW_IGNORED = 0xffffffffu, ROW_NONE = 0xfffffffeu };

/* Of each thread: its process, and the rows that it used last, so that a request needs no hash. */
struct task_row {
	u64 tag; /* device << 8 | op + 1; 0: empty */
	u32 row;
	u32 pad;
};

struct task {
	u32 owner;
	u32 epoch; /* of membership, when `owner` was set to OWNER_OUTSIDE */
	struct task_row rows[TASK_ROWS];
	bool counted; /* in owner.threads */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task);
} MAP_LINKAGE tasks SEC(".maps");

/*
 * Owners by index. New indexes are handed out in turn (`owners_used`); those that user space gives back
 * wait in `free_owners` and go first.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_OWNERS);
	__type(key, u32);
	__type(value, struct owner);
} MAP_LINKAGE owners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, MAX_OWNERS);
	__type(value, u32);
} MAP_LINKAGE free_owners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCESSES);
	__type(key, u32); /* tgid */
	__type(value, u32);
} MAP_LINKAGE owner_by_tgid SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_CGROUPS);
	__type(key, u64); /* cgroup id */
	__type(value, u32);
} MAP_LINKAGE owner_by_cgroup SEC(".maps");

/* -p: the PIDs asked for, in whystall's own PID namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGET_PIDS);
	__type(key, u32);
	__type(value, u32);
} MAP_LINKAGE target_pids SEC(".maps");

/* -D: by whole disk. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_DEVICE_RANGES);
	__type(key, u32);
	__type(value, struct device_ranges);
} MAP_LINKAGE device_ranges SEC(".maps");

/*
 * What is counted, by index, handed out like owners; `row_by_key` finds the index. The first
 * RESERVED_ROWS are for the fixed owners alone: what cannot be named must still be counted.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_ROWS);
	__type(key, u32);
	__type(value, struct io_row);
} MAP_LINKAGE rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, MAX_ROWS);
	__type(value, u32);
} MAP_LINKAGE free_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_ROWS);
	__type(key, struct io_key);
	__type(value, u32);
} MAP_LINKAGE row_by_key SEC(".maps");

/* struct inflight, by a hash of device, hardware queue and tag. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_INFLIGHT);
	__type(key, u32);
	__type(value, struct inflight);
} MAP_LINKAGE inflight SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SPILLED);
	__type(key, u64); /* address of the request */
	__type(value, struct inflight);
} MAP_LINKAGE spilled SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_BIOS);
	__type(key, u64); /* address of the bio */
	__type(value, struct bio_entry);
} MAP_LINKAGE bios SEC(".maps");

/*
 * Who last added pages to an inode's page cache; only inodes that the job read are entered. The
 * process's start guards against an owner's index that was given to another process since.
 */
struct reader {
	u64 start_boot_ns;
	u32 owner;
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_INODES);
	__type(key, u64); /* address of the inode */
	__type(value, struct reader);
} MAP_LINKAGE inode_readers SEC(".maps");

/* Global state; all of it is mapped into user space. */
extern struct loss loss;

/* Indexes handed out so far; they go on beyond the tables' ends, which are config_max_*. */
extern __u32 owners_used;
extern __u32 rows_used;
extern __u32 reserved_rows_used;

/* Entries in `spilled`, and how many there ever were. The lookup is skipped while there are none. */
extern __u64 spilled_now;
extern __u64 spilled_total;

/* Processes of the job that are alive. */
extern __s64 job_alive;

/* Set while the first members are looked for: a fork then asks the parent's ancestors too. */
extern bool attaching;

/* Processes entered by the iterator, for user space to see whether a further round is needed. */
extern __u64 adopted;

/* Changes when processes may have joined the job without a fork: a thread outside asks again. */
extern __u32 membership_epoch;

#endif
