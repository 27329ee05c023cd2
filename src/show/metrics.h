/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every figure that is shown, named once: its key in JSON and CSV, its heading in text, its unit and
 * what it means. Showers take names from here.
 */
#ifndef WHYSTALL_SHOW_METRICS_H
#define WHYSTALL_SHOW_METRICS_H

enum metric {
	M_PID,
	M_PPID,
	M_COMM,
	M_CMDLINE,
	M_CGROUP,
	M_THREADS,
	M_START_S,
	M_END_S,
	M_BLOCK_S,
	M_TIME_S,
	M_WALL,
	M_CPU, /* the classes in the order of enum ledger_state */
	M_RUNQUEUE,
	M_STORAGE_READ,
	M_STORAGE_WRITE,
	M_STORAGE_META,
	M_STORAGE_FAULT,
	M_NETWORK,
	M_IPC,
	M_LOCK,
	M_GPU,
	M_SLEEP,
	M_OTHER,
	M_WRITE_WAIT_S,
	M_FSYNC,
	M_DIRTY_LIMIT,
	M_UNPLACED_WAIT_S,
	M_STORAGE_WAIT_S,
	M_ABOVE_BLOCK_LAYER,
	M_THREAD_ROWS,
	M_TRAINER_PID,
	M_CLOCK_S,
	M_BESIDE,
	M_READS,
	M_COMPAT_SLEEPS,
	M_WAKEE_PID,
	M_WAKEE_TID,
	M_WAKER_PID,
	M_WAKER_TID,
	M_WAITS,
	M_BLOCKED_S,
	M_MEAN_S,
	M_TID,
	M_WAIT_S,
	M_TIME,
	M_DEVICE,
	M_OP,
	M_CAUSE,
	M_REQUESTS,
	M_BYTES,
	M_ERRORS,
	M_LOWER,
	M_PATH,
	M_MOUNT,
	M_QUEUE_US,
	M_DEVICE_US,
	M_MEAN,
	M_P50,
	M_P90,
	M_P99,
	M_P999,
	M_MAX,
	M_LE_US,
	M_QUEUE,
	M_READ_BYTES,
	M_WRITE_BYTES,
	M_JOB_READ_BYTES,
	M_JOB_WRITE_BYTES,
	M_UNATTRIBUTED_READ_BYTES,
	M_UNATTRIBUTED_WRITE_BYTES,
	M_DISKSTATS_READ_BYTES,
	M_DISKSTATS_WRITE_BYTES,
	M_COVERAGE_PCT,
	M_READ_MB_S,
	M_WRITE_MB_S,
	M_REQUESTS_S,
	M_READ_P50_US,
	M_READ_P99_US,
	M_WRITE_P50_US,
	M_WRITE_P99_US,
	M_UTIL_PCT,
	M_ON_CPU,
	M_IN_RUNQUEUE,
	M_IN_STORAGE,
	M_IN_NETWORK,
	M_IN_IPC,
	M_IN_LOCK,
	M_IN_GPU,
	M_IN_SLEEP,
	M_IN_OTHER,
	M_LOSS_REQUESTS_UNTRACKED,
	M_LOSS_COMPLETIONS_UNMATCHED,
	M_LOSS_EVENTS_MISSED,
	M_LOSS_PROCESSES_DROPPED,
	M_LOSS_THREADS_DROPPED,
	M_LOSS_DIRTIERS_UNKNOWN,
	M_LOSS_EDGES_DROPPED,
	M_LOSS_FILES_DROPPED,
	M_LOSS_KEYS_FOLDED,
	M_COUNT,
};

struct metric_info {
	const char *key;     /* JSON and CSV */
	const char *heading; /* text */
	const char *help;
};

extern const struct metric_info metrics[M_COUNT];

/* Operations and causes by the numbers of abi.h. */
extern const char *const op_names[];
extern const char *const cause_names[];

#endif
