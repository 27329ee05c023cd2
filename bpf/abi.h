/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the BPF programs and user space share: the shapes of the map values. No other header is
 * included by both sides, and this one includes none: the BPF side gets its integer types from
 * vmlinux.h, user space from linux/types.h.
 *
 * Times are nanoseconds, sizes bytes. Counters only grow.
 */
#ifndef WHYSTALL_ABI_H
#define WHYSTALL_ABI_H

enum {
	COMM_LEN = 16,
	CMDLINE_LEN = 256,
	GPU_MAJORS = 512,    /* a Linux major number is below */
	RESERVED_ROWS = 256, /* I/O rows beyond max_keys, kept for the owners below OWNER_FIRST */
};

enum io_op { IO_READ, IO_WRITE, IO_DISCARD, IO_FLUSH, IO_OPS };
enum io_cause { CAUSE_SUBMIT, CAUSE_WRITEBACK, IO_CAUSES };

/*
 * Latency histogram: log-linear, 16 buckets in each power of two from 1 us to 64 s (2^10 to 2^36 ns),
 * one bucket below and one above. A bucket holds (lower, upper]: the index is taken from ns - 1, so
 * that buckets add up exactly to ones with upper bounds at powers of two.
 */
enum {
	HISTOGRAM_MIN_LOG2 = 10,
	HISTOGRAM_MAX_LOG2 = 36,
	HISTOGRAM_SUB_LOG2 = 4,
	HISTOGRAM_BUCKETS = ((HISTOGRAM_MAX_LOG2 - HISTOGRAM_MIN_LOG2) << HISTOGRAM_SUB_LOG2) + 2,
};

static inline __attribute__((always_inline)) __u32 histogram_index(__u64 ns)
{
	/*
	 * By the upper five bits of a product, which differ for each number whose bits below the highest are all set. (Not bytes:
	 * clang puts a table of 32 of them into a section that its own BTF does not mean.)
	 */
	static const __u16 highest_bit[32] = { 0,  9,  1,  10, 13, 21, 2,  29, 11, 14, 16,
					       18, 22, 25, 3,  30, 8,  12, 20, 28, 15, 17,
					       24, 7,  19, 27, 23, 6,  26, 5,  4,  31 };
	__u64 v = ns ? ns - 1 : 0;
	__u32 bits, log2;

	if (v >> HISTOGRAM_MIN_LOG2 == 0)
		return 0;
	if (v >> HISTOGRAM_MAX_LOG2 != 0)
		return HISTOGRAM_BUCKETS - 1;
	/*
	 * The highest bit, for which BPF has no instruction. Without branches: the verifier follows each way that leads to the
	 * index (a binary search was a third of all that it followed in block_complete).
	 */
	bits = v >> HISTOGRAM_MIN_LOG2;
	bits |= bits >> 1;
	bits |= bits >> 2;
	bits |= bits >> 4;
	bits |= bits >> 8;
	bits |= bits >> 16;
	log2 = HISTOGRAM_MIN_LOG2 + highest_bit[bits * 0x07c4acddu >> 27];
	return 1 + ((log2 - HISTOGRAM_MIN_LOG2) << HISTOGRAM_SUB_LOG2) +
	       ((__u32)(v >> (log2 - HISTOGRAM_SUB_LOG2)) & ((1 << HISTOGRAM_SUB_LOG2) - 1));
}

/*
 * An owner is who requests are charged to: a process, or one of the rows that stand for no process.
 * An index into the table of owners; indexes below OWNER_FIRST are fixed.
 */
enum {
	OWNER_UNKNOWN = 0, /* nobody could be named: "unattributed" */
	OWNER_OUTSIDE = 1, /* a process that is not part of the job */
	OWNER_FOLDED = 2,  /* of the job, but no row was free */
	OWNER_EXITED = 3, /* sum of exited processes whose rows were needed; filled by user space */
	OWNER_FIRST = 4,
};

/*
 * OWNER_KERNEL: I/O that the kernel does for itself (journal, metadata, swap) or for others through a
 * driver that copies the data (loop, md, dm); `cmdline` is what is known of it.
 */
/* OWNER_SERVER: a process outside the job that serves it: its threads have ledgers, and nothing else is counted. */
enum owner_kind {
	OWNER_FREE,
	OWNER_FIXED,
	OWNER_PROCESS,
	OWNER_CGROUP,
	OWNER_KERNEL,
	OWNER_SERVER,
};

/*
 * What a thread does; it is in one state at a time. Those before LEDGER_CLASSES are the classes of a
 * report, the next two are parts of storage_write that it tells apart.
 */
enum ledger_state {
	LEDGER_CPU,
	LEDGER_RUNQUEUE,
	LEDGER_STORAGE_READ,
	LEDGER_STORAGE_WRITE,
	LEDGER_STORAGE_META,
	LEDGER_STORAGE_FAULT,
	LEDGER_NETWORK,
	LEDGER_IPC,
	LEDGER_LOCK,
	LEDGER_GPU,
	LEDGER_SLEEP,
	LEDGER_OTHER,
	LEDGER_CLASSES,
	LEDGER_FSYNC = LEDGER_CLASSES,
	LEDGER_DIRTY_LIMIT, /* held back until others' dirty pages are written */
	LEDGER_IDLE, /* io_uring's worker, or a server's thread, without work: left out of every sum */
	LEDGER_SEND, /* part of ipc: until somebody takes what it writes to a pipe or socket */
	LEDGER_STATES,
};

/* Waits by place: read, write, meta, fault, in the order of the states. */
enum { WAIT_KINDS = LEDGER_STORAGE_FAULT - LEDGER_STORAGE_READ + 1 };

/* -1: not a wait for storage. */
static inline __attribute__((always_inline)) int ledger_wait_kind(__u32 state)
{
	if (state >= LEDGER_STORAGE_READ && state <= LEDGER_STORAGE_FAULT)
		return (int)state - LEDGER_STORAGE_READ;
	return state == LEDGER_FSYNC || state == LEDGER_DIRTY_LIMIT ? 1 : -1;
}

/*
 * The ledger of one thread. `word` holds its state and since when, so that both change at once: since_ns
 * << LEDGER_SHIFT | state. Whoever changes it adds the time that has passed to `ns`.
 */
enum { LEDGER_SHIFT = 4, LEDGER_STATE_MASK = (1 << LEDGER_SHIFT) - 1 };
enum thread_life { THREAD_FREE, THREAD_ALIVE, THREAD_ENDED };

/* Who has woken a thread that still waits. WAKER_ASKS: a thread of the job, which has work for this one of a server. */
enum thread_waker { WAKER_NONE, WAKER_OF_JOB, WAKER_OUTSIDE, WAKER_ASKS };

struct thread {
	__u64 word;
	__u64 start_ns; /* of the ledger: the thread's own start, or when whystall met it */
	__u64 ns[LEDGER_STATES];
	__u64 waiting_ns[LEDGER_STATES]; /* while its trainer's waiting clock ran */
	__u64 clock_ns;                  /* of that clock, up to where waiting_ns reaches */
	__u64 cpu_base_ns;               /* the kernel's own counters when `ns` began; ~0: */
	__u64 delay_base_ns;             /* both are taken at the next switch */
	__u64 owner_start_boot_ns;
	__u64 met_asleep_ns;   /* when whystall met it asleep: 0: it was not */
	__u64 slept_before_ns; /* and for how long it had been by then, at most */
	__u32 owner;
	__u32 tid;     /* as whystall's PID namespace knows it */
	__u32 life;    /* enum thread_life */
	__u32 place;   /* where it waits: index of a file_row + 1; 0: not known */
	__u32 slept;   /* state of the sleep since the last switch; 0: none */
	__u32 trainer; /* owner whose clock that is */
	__u16 leader;  /* its waits run the waiting clock of its process */
	__u16 serves;  /* it is of a server */
	__u32 reads; /* it waits for a read that counts in this place of `concurrency` + 1; 0: none */
	__u32 beside;       /* so many others were in flight when that began */
	__u32 has_waker;    /* enum thread_waker: a thread, no interrupt, has just woken it: */
	__u32 waker_tid;    /* as in struct edge_key */
	__u32 waker_pid;    /* and its process */
	__u32 inside;       /* an input marker, see markers.bpf.c */
	__u32 marker_stack; /* where its stack stood at the call, the lower half */
	__u32 socket;    /* inode of the INET socket that it waited for last, 0: for none so far */
	__u32 peer_port; /* of that socket's other end, if that has an address of this host; else 0 */
	char comm[COMM_LEN];
};

/*
 * A process's waiting clock runs while its training thread (its first one, if user space has named no other) waits for
 * something to work on; once the process has called an input marker, while any of its threads is inside one. All in one
 * word, so that it can be read at any time: its time while it stands, CLOCK_RUNS | when it would have begun while it runs.
 */
#define CLOCK_RUNS (1ULL << 63)

static inline __attribute__((always_inline)) __u64 clock_read(__u64 clock, __u64 now_ns)
{
	__u64 began = clock & ~CLOCK_RUNS;

	if (!(clock & CLOCK_RUNS))
		return clock;
	return now_ns > began ? now_ns - began : 0; /* clocks of two CPUs */
}

static inline __attribute__((always_inline)) __u64 clock_start(__u64 clock, __u64 now_ns)
{
	return clock & CLOCK_RUNS ? clock : CLOCK_RUNS | (now_ns - clock);
}

/* For one state of the first thread: does the clock run? A wait for a processor changes nothing. */
static inline __attribute__((always_inline)) __u64 clock_in_state(__u64 clock, __u32 state,
								  __u64 now_ns)
{
	if (state == LEDGER_RUNQUEUE)
		return clock;
	if (state == LEDGER_IPC || state == LEDGER_SEND || state == LEDGER_LOCK ||
	    state == LEDGER_NETWORK || state == LEDGER_STORAGE_READ ||
	    state == LEDGER_STORAGE_META || state == LEDGER_STORAGE_FAULT)
		return clock_start(clock, now_ns);
	return clock_read(clock, now_ns);
}

/*
 * How long reads took by how many others were in flight when they began: of the job's threads on a file
 * system, and of its requests on a device. The last class has that many or more.
 */
enum { CONCURRENCY_CLASSES = 17 };
enum concurrency_kind { CONCURRENCY_FILE_SYSTEM, CONCURRENCY_DEVICE };

struct concurrency {
	__u32 number; /* of the file system or the device */
	__u32 kind;   /* enum concurrency_kind */
	__s64 now;    /* in flight */
	__u64 count[CONCURRENCY_CLASSES];
	__u64 ns[CONCURRENCY_CLASSES];
};

/*
 * An edge: what threads of the job waited for that another thread then ended, by the kind of wait. The one that is woken
 * and the one that wakes it are named by their IDs as whystall's PID namespace knows them; waker 0: a thread of the
 * kernel, or one that cannot be seen. An interrupt (a timer, a device) wakes many, and is no edge.
 */
enum edge_kind {
	EDGE_IPC,
	EDGE_SEND, /* the one that is woken had more to hand over than the other one took */
	EDGE_LOCK,
	EDGE_NETWORK,
	EDGE_STORAGE,
	EDGE_KINDS,
};

/* -1: a wait whose end tells nothing about who works for whom. */
static inline __attribute__((always_inline)) int ledger_edge_kind(__u32 state)
{
	if (state == LEDGER_IPC)
		return EDGE_IPC;
	if (state == LEDGER_SEND)
		return EDGE_SEND;
	if (state == LEDGER_LOCK)
		return EDGE_LOCK;
	if (state == LEDGER_NETWORK)
		return EDGE_NETWORK;
	return ledger_wait_kind(state) >= 0 ? EDGE_STORAGE : -1;
}

struct edge_key {
	__u32 wakee_tid;
	__u32 waker_tid;
};

struct edge {
	__u64 ns[EDGE_KINDS]; /* blocked */
	__u64 inside_ns;      /* of it, inside an input marker */
	__u64 waits;
	__u32 wakee_pid; /* their processes */
	__u32 waker_pid;
	__u32 waker_outside; /* that is not of the job */
	__u32 pad;
};

/* A process outside the job that serves it, by its PID as whystall knows it. Entered by user space. */
enum { MAX_SERVERS = 8 };

struct server {
	__u64 start_boot_ns; /* 0: it has not been met yet, as `owner` */
	__u32 owner;
	__u32 trainer; /* owner whose waiting clock its threads are measured by */
};

/* Rows that a process used last, by any of its threads: has it requests in flight? */
enum { OWNER_ROWS = 4 };

struct owner {
	__u32 kind; /* enum owner_kind */
	__u32 tgid; /* as the kernel knows it, in the initial PID namespace */
	__u32 pid;  /* the same as whystall's own PID namespace knows it */
	__u32 ppid;
	__u32 threads;     /* that were seen inside the window */
	__u32 cmdline_len; /* 0: not known to BPF, user space asks /proc */
	__u64 start_boot_ns;
	__u64 end_boot_ns;                     /* 0 while it runs */
	__u64 cgroup_id;                       /* cgroup 2, or the row's cgroup for OWNER_CGROUP */
	__u64 ended_ns[LEDGER_STATES];         /* of threads that have ended */
	__u64 ended_waiting_ns[LEDGER_STATES]; /* likewise, while their trainer's clock ran */
	__u32 rows[OWNER_ROWS];                /* index + 1 */
	__u64 clock;                           /* the waiting clock */
	__u32 trainer;   /* owner: itself once it has forked, else its parent; itself without one */
	__u32 clock_tid; /* the thread that the clock follows; 0: its first one. Set by user space */
	__u32 marked;    /* it has called an input marker: the clock follows these */
	__u32 inside;    /* so many threads are inside one */
	__u32 assigned;  /* user space has set `trainer`: children work for the same one */
	__u32 pad;
	char comm[COMM_LEN];
	char cmdline[CMDLINE_LEN]; /* arguments, each ended by NUL; a name for other kinds */
};

struct io_key {
	__u32 owner;
	__u32 device; /* major << 20 | minor */
	__u8 op;      /* enum io_op */
	__u8 cause;   /* enum io_cause */
	__u8 lower;   /* the bytes count at a device stacked on this one already */
	__u8 pad;
};

/* All that is counted for one key. Requests are counted at completion. */
struct io_row {
	struct io_key key;
	__u32 live;  /* 0: free */
	__u32 reads; /* index in `concurrency` + 1; 0: not counted there */
	__u32 pad;
	__u64 started; /* requests; counted for a job with a ledger, see waits.bpf.c */
	__u64 requests;
	__u64 bytes;
	__u64 errors;
	__u64 unissued; /* requests that ended without being issued: no latency is known */
	__u64 queue_ns; /* sums */
	__u64 device_ns;
	__u64 queue_max_ns;
	__u64 device_max_ns;
	__u64 queue[HISTOGRAM_BUCKETS];
	__u64 device[HISTOGRAM_BUCKETS];
};

/*
 * Requests between Q and C. The place is a hash of device, hardware queue and tag, so that the same
 * few cache lines are used again and again (design.md section 9: a third of the cost of a hash map); the
 * request's address tells whose it is, and a request that finds its place taken goes to `spilled`.
 */
struct inflight {
	__u64 request; /* address; 0: free */
	__u64 q_ns;    /* 0: it is the kernel's own stamp, see start_stamp() */
	__u64 d_ns;    /* 0: not issued yet */
	__u32 row;
	__u32 bytes;  /* left to complete, without what was merged later */
	__u8 flush;   /* an empty flush: has no D of its own */
	__u8 merged;  /* more is in it than at Q */
	__u16 stamps; /* the kernel stamped the last request of this place */
	__u32 beside; /* so many of the job's reads were in flight on the device at Q */
};

/*
 * Bios with a row of their own inside another request: merged ones, and, without block_io_start,
 * each one that a request was made for, until that request is issued.
 */
struct bio_entry {
	__u64 q_ns; /* 0: merged */
	__u32 row;
	__u32 flush;
};

/*
 * Bios of devices that pass them on or serve them without requests of their own (dm, md, NVMe
 * multipath, zram), between Q and C.
 */
struct upper_bio {
	__u64 q_ns;
	__u32 row;
	__u32 bytes;
};

/*
 * Bytes that an owner moved between a file's cached pages and a device, and how long its threads waited for
 * the file. The path inside its file system is copied when the row is made: soon after, nobody has the
 * file open any more. Waits without a file are for a file system or for a device as a whole.
 *
 * The names of all files are in one place, one path after the other: few are as long as they may be.
 */
enum {
	FILE_NAMES_BYTES = 1 << 20,             /* 128 for each of MAX_FILES */
	FILE_NAMES_LEN = 512,                   /* of one file */
	FILE_NAMES_FULL = FILE_NAMES_LEN - 256, /* there may be no room for one more name */
};

enum file_kind { FILE_ITSELF, FILE_OF_FILE_SYSTEM, FILE_OF_DEVICE };

struct file_row {
	__u64 read_bytes;
	__u64 write_bytes;
	__u64 wait_ns[WAIT_KINDS];
	__u64 owner_start_boot_ns;
	__u32 owner;
	__u32 file_system; /* its number, major << 20 | minor; stat's st_dev but for btrfs */
	__u32 device;      /* that it is on; the file system's number where that has none */
	__u32 kind;        /* enum file_kind */
	__u32 reads;       /* index in `concurrency` + 1; 0: none was free */
	__u32 names;       /* where in struct file_names: of the file, its folder, and so on, */
	__u32 names_len;   /* each ended by NUL */
	__u32 whole;       /* the names reach up to the root of the file system */
};

struct file_names {
	char text[FILE_NAMES_BYTES];
};

/* The name of a disk that is in no list of the kernel's: a path of a multipath drive. */
struct disk_name {
	char text[32];
};

/* Every event that could not be counted where it belongs. */
struct loss {
	__u64 requests_untracked;    /* no room to follow the request, or for its row */
	__u64 completions_unmatched; /* completed without having been seen to start */
	__u64 events_missed;         /* D or C for which the kernel did not run the program */
	__u64 processes_dropped;     /* processes of the job without an entry of their own */
	__u64 threads_dropped;       /* threads for which the kernel gave no storage */
	__u64 dirtiers_unknown; /* writeback requests of a file that nobody was seen to write */
	__u64 files_dropped;    /* requests of files without a row: the table was full */
	__u64 keys_folded;      /* requests in the rows of OWNER_FOLDED; added up by user space */
	__u64 edges_dropped;    /* waits that another thread ended, for which there was no room */
};

/*
 * What is selected of a disk: up to MAX_RANGES ranges of sectors, half open; the whole disk is
 * [0, ~0). `shown` is the number of the partition or disk that a range stands for in io_key.device.
 */
enum { MAX_RANGES = 16 };

struct device_range {
	__u64 begin, end;
	__u32 shown;
	__u32 pad;
};

struct device_ranges {
	struct device_range list[MAX_RANGES]; /* end 0: not in use */
};

/*
 * A shell pattern for at most 63 characters, as a machine that BPF can run without backtracking. Bit
 * i of a state set: the first i characters of the pattern are matched.
 */
struct glob {
	__u64 accepts[256]; /* bit i: character i of the pattern accepts this byte */
	__u64 stars;        /* bit i: a star stands before character i */
	__u64 end;          /* the one bit that means all is matched */
};

static inline __attribute__((always_inline)) int glob_matches(const volatile struct glob *glob,
							      const char *name, int len)
{
	__u64 states = 1;

	for (int i = 0; i < len && name[i]; i++)
		states = ((states & glob->accepts[(__u8)name[i]]) << 1) | (states & glob->stars);
	return (states & glob->end) != 0;
}

_Static_assert(sizeof(struct owner) == 624, "struct owner is read by user space");
_Static_assert(LEDGER_STATES <= LEDGER_STATE_MASK + 1, "a state is part of a thread's word");
_Static_assert(sizeof(struct thread) == 48 + 2 * 8 * LEDGER_STATES + 96,
	       "struct thread is read by user space");
_Static_assert(sizeof(struct edge) == 8 * EDGE_KINDS + 32, "struct edge is read by user space");
_Static_assert(sizeof(struct io_key) == 12, "struct io_key is hashed: no padding");
_Static_assert(sizeof(struct io_row) == 24 + 9 * 8 + 2 * 8 * HISTOGRAM_BUCKETS,
	       "struct io_row is read by user space");
_Static_assert(sizeof(struct inflight) == 40, "struct inflight is read by user space");
_Static_assert(sizeof(struct bio_entry) == 16, "struct bio_entry is read by user space");
_Static_assert(sizeof(struct upper_bio) == 16, "struct upper_bio is read by user space");
_Static_assert(sizeof(struct file_row) == 88, "struct file_row is read by user space");
_Static_assert(sizeof(struct loss) == 72, "struct loss is read by user space");
_Static_assert(HISTOGRAM_BUCKETS == 418, "the histogram spans 2^10 to 2^36 ns");

#endif
