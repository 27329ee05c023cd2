/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Who a request is charged to. */
#ifndef WHYSTALL_OWNER_BPF_H
#define WHYSTALL_OWNER_BPF_H

#include "compat.bpf.h"
#include "config.bpf.h"
#include "maps.bpf.h"

static __always_inline bool is_kernel_thread(const struct task_struct *t)
{
	return t->flags & PF_KTHREAD;
}

/*
 * The thread's ID as whystall's own PID namespace knows it; 0 if it cannot be seen from there.
 * Namespaces are nested at most 32 deep (MAX_PID_NS_LEVEL).
 */
static __always_inline u32 visible_tid(struct task_struct *t)
{
	struct pid *pid;
	u32 level;

	if (!config_pidns_inum)
		return BPF_CORE_READ(t, pid);
	pid = BPF_CORE_READ(t, thread_pid);
	level = BPF_CORE_READ(pid, level);
	for (u32 i = 0; i <= 32 && i <= level; i++) {
		struct upid upid;

		if (bpf_core_read(&upid, sizeof(upid), &pid->numbers[i]))
			break;
		if (BPF_CORE_READ(upid.ns, ns.inum) == config_pidns_inum)
			return upid.nr;
	}
	return 0;
}

/* The process's PID: its leader's. */
static __always_inline u32 visible_pid(struct task_struct *leader)
{
	return visible_tid(leader);
}

static __always_inline struct owner *owner_get(u32 index)
{
	return bpf_map_lookup_elem(&owners, &index);
}

/* Take a free owner and fill in what tells it from others; NULL when there is none. */
static __always_inline struct owner *owner_take(u32 *index, u32 kind)
{
	struct owner *o;

	if (bpf_map_pop_elem(&free_owners, index)) {
		if (owners_used >= config_max_owners)
			return NULL;
		*index = __sync_fetch_and_add(&owners_used, 1);
	}
	o = owner_get(*index);
	if (o) {
		__builtin_memset(o, 0, sizeof(*o));
		o->kind = kind;
	}
	return o;
}

static __always_inline void owner_give_back(u32 index, struct owner *o)
{
	o->kind = OWNER_FREE;
	bpf_map_push_elem(&free_owners, &index, BPF_ANY);
}

/*
 * The command line of the current process, if that is `t`: right after exec its pages are there, and a
 * process that ends before user space looks has left no other trace.
 */
static __always_inline void owner_read_cmdline(struct owner *o, struct task_struct *t)
{
	unsigned long begin = BPF_CORE_READ(t, mm, arg_start);
	unsigned long len = BPF_CORE_READ(t, mm, arg_end) - begin;

	if (len > CMDLINE_LEN - 1)
		len = CMDLINE_LEN - 1;
	o->cmdline_len = 0;
	if (!bpf_probe_read_user(o->cmdline, len, (void *)begin))
		o->cmdline_len = len;
}

/*
 * The process with this leader, if it has an entry that is not of an earlier process with its PID.
 * OWNER_FOLDED for one that found no free owner.
 */
static __always_inline u32 owner_find(u32 tgid, u64 start_boot_ns)
{
	u32 *index = bpf_map_lookup_elem(&owner_by_tgid, &tgid);
	struct owner *o;

	if (!index)
		return OWNER_UNKNOWN;
	if (*index == OWNER_FOLDED)
		return OWNER_FOLDED;
	o = owner_get(*index);
	return o && o->start_boot_ns == start_boot_ns ? *index : OWNER_UNKNOWN;
}

static __always_inline void owner_describe(struct owner *o, struct task_struct *leader)
{
	o->tgid = BPF_CORE_READ(leader, tgid);
	o->pid = visible_pid(leader);
	o->ppid = visible_pid(BPF_CORE_READ(leader, real_parent, group_leader));
	o->start_boot_ns = BPF_CORE_READ(leader, start_boottime);
	o->cgroup_id = BPF_CORE_READ(leader, cgroups, dfl_cgrp, kn, id);
	bpf_core_read(o->comm, sizeof(o->comm), &leader->comm);
}

/* Make a thread its process's; each thread is counted once. */
static __always_inline void task_set_owner(struct task *task, u32 index)
{
	struct owner *o = owner_get(index);

	if (task->owner != index)
		__builtin_memset(task->rows, 0, sizeof(task->rows));
	task->owner = index;
	if (o && o->kind == OWNER_PROCESS && !task->counted) {
		task->counted = true;
		__sync_fetch_and_add(&o->threads, 1);
	}
}

/*
 * Enter the process of `leader` (address) into the job. Returns its index, also when another CPU entered
 * it at the same time; OWNER_FOLDED when the table is full. `inherit`: the owner that its command line comes
 * from until it calls exec, or OWNER_UNKNOWN.
 */
u32 owner_new(u64 leader, u32 inherit);

/* The process of `leader` (address) as an owner: of the job, or outside it; with -a all that are visible. */
u32 owner_of_process(u64 leader);

/* See task_current(). Has the current thread storage now? */
bool task_enter(void);

/* The current thread with its owner, if that is known and holds. */
static __always_inline struct task *task_known(struct task_struct *current)
{
	struct task *task = bpf_task_storage_get(&tasks, current, NULL, 0);

	return task && (task->owner != OWNER_OUTSIDE || task->epoch == membership_epoch) ? task :
											   NULL;
}

/* The current thread with its owner; NULL for a kernel thread, or if the kernel has no memory. */
static __always_inline struct task *task_current(void)
{
	struct task_struct *current = bpf_get_current_task_btf();
	struct task *task = task_known(current);

	if (task || !task_enter())
		return task;
	return bpf_task_storage_get(&tasks, current, NULL, 0);
}

#endif
