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
	MAX_OWNERS = 8192,
	MAX_PROCESSES = 2 * MAX_OWNERS, /* those without an owner of their own included */
	MAX_THREADS = 8192,
	MAX_CONCURRENCY = 256,
	MAX_EDGES = 8192,
	MAX_ROWS = 2048 + RESERVED_ROWS,
	MAX_INFLIGHT = 16384, /* a power of two, also when user space changes it */
	MAX_SPILLED = 2048,
	MAX_BIOS = 16384,
	MAX_UPPER_BIOS = 4096,
	MAX_FILES = 8192,
	MAX_HIDDEN_DISKS = 256,
	MAX_READ_INODES = 8192,
	MAX_WRITTEN_INODES = 16384,
	MAX_CGROUPS = 1024,
	MAX_KERNEL_OWNERS = 512,
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
	bool counted;     /* in owner.threads */
	u32 thread;       /* index + 1 in `threads`; 0: none yet, THREAD_NONE: none any more */
	u32 call_state;   /* of its last sleep in a system call; 0: none yet */
	u64 fault_inode;  /* of the last fault that was looked up in a file's cache */
	u64 fault_number; /* which one that was, see fault_note() */
};

enum { THREAD_NONE = 0xffffffffu };

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task);
} MAP_LINKAGE tasks SEC(".maps");

/* Wakes user space when a process has joined the job by its control group; what it carries has no meaning. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} MAP_LINKAGE joined SEC(".maps");

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

/* By index, handed out in turn; `concurrency_by_number` finds the index. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_CONCURRENCY);
	__type(key, u32);
	__type(value, struct concurrency);
} MAP_LINKAGE concurrency SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_CONCURRENCY);
	__type(key, u64); /* kind << 32 | number */
	__type(value, u32);
} MAP_LINKAGE concurrency_by_number SEC(".maps");

/* The ledgers, by index, handed out like owners. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_THREADS);
	__type(key, u32);
	__type(value, struct thread);
} MAP_LINKAGE threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, MAX_THREADS);
	__type(value, u32);
} MAP_LINKAGE free_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_EDGES);
	__type(key, struct edge_key);
	__type(value, struct edge);
} MAP_LINKAGE edges SEC(".maps");

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

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SERVERS);
	__type(key, u32); /* PID, in whystall's own PID namespace */
	__type(value, struct server);
} MAP_LINKAGE servers SEC(".maps");

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

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_UPPER_BIOS);
	__type(key, u64); /* address of the bio */
	__type(value, struct upper_bio);
} MAP_LINKAGE upper_bios SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_HIDDEN_DISKS);
	__type(key, u32);
	__type(value, struct disk_name);
} MAP_LINKAGE hidden_disks SEC(".maps");

/* Files by index, handed out in turn; `file_by_key` finds the index. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_FILES);
	__type(key, u32);
	__type(value, struct file_row);
} MAP_LINKAGE files SEC(".maps");

/* The names of all of them, `file_names_used` bytes so far. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct file_names);
} MAP_LINKAGE file_names SEC(".maps");

struct file_key {
	u64 inode_number;
	u32 generation; /* tells it from an earlier file with this number */
	u32 file_system;
	u32 owner;
	u32 kind; /* enum file_kind */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_FILES);
	__type(key, struct file_key);
	__type(value, u32);
} MAP_LINKAGE file_by_key SEC(".maps");

/* What the kernel does I/O for, where it is no process: the name of a thread, or of a file system. */
struct kernel_name {
	char text[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_KERNEL_OWNERS);
	__type(key, struct kernel_name);
	__type(value, u32);
} MAP_LINKAGE owner_by_name SEC(".maps");

/*
 * Who last added pages to an inode's page cache, and who last dirtied one. Of readers, only inodes that
 * the job read are entered; of writers, all. The process's start guards against an owner's index that
 * was given to another process since. The maps forget the least recently used inode.
 */
struct inode_user {
	u64 start_boot_ns;
	u32 owner;
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_READ_INODES);
	__type(key, u64); /* address of the inode */
	__type(value, struct inode_user);
} MAP_LINKAGE inode_readers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_WRITTEN_INODES);
	__type(key, u64); /* address of the inode */
	__type(value, struct inode_user);
} MAP_LINKAGE inode_writers SEC(".maps");

/* Which event each program of twice.bpf.h has done, on each CPU. */
enum twice {
	TWICE_block_start,
	TWICE_block_start_bio,
	TWICE_block_merge,
	TWICE_block_request_merge,
	TWICE_block_issue,
	TWICE_block_requeue,
	TWICE_block_complete,
	TWICE_job_fork,
	TWICE_job_exec,
	TWICE_job_exit,
	TWICE_job_cgroup_attach,
	TWICE_page_added,
	TWICE_page_dirtied,
	TWICE_page_faulted,
	TWICE_upper_start,
	TWICE_upper_complete,
	TWICE_PROGRAMS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TWICE_PROGRAMS);
	__type(key, u32); /* enum twice */
	__type(value, u64);
} MAP_LINKAGE programs_done SEC(".maps");

/* Global state; all of it is mapped into user space. */
extern struct loss loss;

/* Indexes handed out so far; they go on beyond the tables' ends, which are config_max_*. */
extern __u32 owners_used;
extern __u32 rows_used;
extern __u32 threads_used;
extern __u32 concurrency_used;
extern __u32 reserved_rows_used;

extern __u32 files_used;
extern __u64 file_names_used;

/* The programs of upper.bpf.c are attached; entries in `upper_bios`. */
extern bool upper_attached;
extern __u64 upper_bios_now;

/* Entries in `spilled`, and how many there ever were. The lookup is skipped while there are none. */
extern __u64 spilled_now;
extern __u64 spilled_total;

/* Threads whose ledgers are being, and have been, added to their owners': equal while none is. */
extern __u64 closings_begun;
extern __u64 closings_done;

/* Waits of 32-bit programs, whose system calls are not told apart. */
extern __u64 compat_sleeps;

/* Processes of the job that are alive. */
extern __s64 job_alive;

/* Set while the first members are looked for: a fork then asks the parent's ancestors too. */
extern bool attaching;

/* Processes entered by the iterator, for user space to see whether a further round is needed. */
extern __u64 adopted;

/* Servers that are alive; the iterator looks for their threads now. */
extern __u32 servers_alive;
extern bool serving;

/* Changes when processes may have joined the job without a fork: a thread outside asks again. */
extern __u32 membership_epoch;

#endif
