/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Every knob that user space sets before the programs are loaded. The verifier removes the code that
 * a knob switches off. Defined in maps.bpf.c.
 */
#ifndef WHYSTALL_CONFIG_BPF_H
#define WHYSTALL_CONFIG_BPF_H

/* -a: every process belongs to the job; processes get an entry when they first do I/O. */
extern const volatile bool config_all;

/* -D: only requests on a range in `device_ranges` count. */
extern const volatile bool config_devices;

/* -n: processes whose name matches at exec, or at the start, belong to the job. */
extern const volatile bool config_glob;
extern const volatile struct glob config_glob_table;

/* -c: the cgroup's id, and its hierarchy (0: cgroup 2). */
extern const volatile bool config_cgroup;
extern const volatile __u64 config_cgroup_id;
extern const volatile __u32 config_cgroup_hierarchy;

/* Inode number of whystall's own PID namespace; 0: it is the initial one. */
extern const volatile __u32 config_pidns_inum;

/* Sizes of the tables `owners`, `rows` (--max-keys) and `files`; of `inflight` less 1. */
extern const volatile __u32 config_max_owners;
extern const volatile __u32 config_max_rows;
extern const volatile __u32 config_max_files;
extern const volatile __u32 config_inflight_mask;

/* Threads have a ledger: for a job, not for the whole host. */
extern const volatile bool config_ledger;

/* For the judge: threads that have ended keep their places, while there is room. */
extern const volatile bool config_keep_threads;

/* --threads: their names are read at each switch, since they may give themselves new ones. */
extern const volatile bool config_thread_names;

/* Size of the table `threads`. */
extern const volatile __u32 config_max_threads;

/* Is this the major number of a GPU driver's devices? */
extern const volatile __u8 config_gpu_majors[GPU_MAJORS];

/* The kernel has the tracepoint block_io_start, see compat.bpf.h. */
extern const volatile bool config_has_io_start;

/* The kernel has the tracepoint mm_filemap_fault, see compat.bpf.h. */
extern const volatile bool config_has_filemap_fault;

/* x86: where a processor's preemption count is, from its run queue on. */
extern const volatile bool config_has_preempt_count;
extern const volatile __s64 config_preempt_count_at;

/* It has bits for disabled interrupts too, see edges.bpf.h. */
extern const volatile bool config_counts_disabled;

/* A task may be preempted inside a program, see twice.bpf.h. */
extern const volatile bool config_preemptible;

#endif
