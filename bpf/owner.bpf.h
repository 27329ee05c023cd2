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

/* The table is full: note it under its PID, so that it is counted once. */
static __noinline u32 owner_drop(u32 tgid)
{
	u32 index = OWNER_FOLDED;
	u32 *before = bpf_map_lookup_elem(&owner_by_tgid, &tgid);

	if (before && *before == OWNER_FOLDED)
		return OWNER_FOLDED;
	bpf_map_update_elem(&owner_by_tgid, &tgid, &index, BPF_ANY);
	__sync_fetch_and_add(&loss.processes_dropped, 1);
	__sync_fetch_and_add(&job_alive, 1);
	return OWNER_FOLDED;
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

/*
 * Enter the process of `leader` into the job. Returns its index, also when another CPU entered it at
 * the same time; OWNER_FOLDED when the table is full. `inherit`: where its command line comes from
 * until it calls exec, or NULL.
 */
static __noinline u32 owner_new(struct task_struct *leader, const struct owner *inherit)
{
	u32 tgid = BPF_CORE_READ(leader, tgid);
	struct owner *o;
	u32 index;

	o = owner_take(&index, OWNER_PROCESS);
	if (!o)
		return owner_drop(tgid);
	owner_describe(o, leader);
	o->trainer = index;
	if (inherit) {
		__builtin_memcpy(o->cmdline, inherit->cmdline, sizeof(o->cmdline));
		o->cmdline_len = inherit->cmdline_len;
	}
	if (bpf_map_update_elem(&owner_by_tgid, &tgid, &index, BPF_NOEXIST)) {
		u32 other = owner_find(tgid, o->start_boot_ns);

		if (other >= OWNER_FIRST) {
			owner_give_back(index, o);
			return other;
		}
		/* Of an earlier process with this PID, whose end was missed; or the map is full. */
		if (bpf_map_update_elem(&owner_by_tgid, &tgid, &index, BPF_ANY)) {
			owner_give_back(index, o);
			return owner_drop(tgid);
		}
	}
	__sync_fetch_and_add(&job_alive, 1);
	return index;
}

/* The process of `leader` as an owner: of the job, or outside it; with -a all that are visible. */
static __always_inline u32 owner_of_process(struct task_struct *leader)
{
	u32 tgid = BPF_CORE_READ(leader, tgid);
	u32 index = owner_find(tgid, BPF_CORE_READ(leader, start_boottime));

	if (index != OWNER_UNKNOWN)
		return index;
	if (config_all && visible_pid(leader))
		return owner_new(leader, NULL);
	return OWNER_OUTSIDE;
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
 * Give the current thread storage, or the owner that it has since membership changed; NULL for a
 * kernel thread, and (counted) if the kernel has no memory. Threads of the job have storage since
 * their fork; here come those outside it, and under -a all, at their first request.
 */
static __noinline struct task *task_enter(struct task_struct *t)
{
	struct task *task;
	struct owner *o;

	if (is_kernel_thread(t))
		return NULL;
	task = bpf_task_storage_get(&tasks, t, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!task) {
		__sync_fetch_and_add(&loss.threads_dropped, 1);
		return NULL;
	}
	task->epoch = membership_epoch;
	task_set_owner(task, owner_of_process(t->group_leader));
	o = owner_get(task->owner);
	if (o && o->kind == OWNER_PROCESS && !o->cmdline_len)
		owner_read_cmdline(o, t);
	return task;
}

/* The current thread with its owner, NULL as above. */
static __always_inline struct task *task_current(void)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct task *task = bpf_task_storage_get(&tasks, t, NULL, 0);

	if (task && (task->owner != OWNER_OUTSIDE || task->epoch == membership_epoch))
		return task;
	return task_enter(t);
}

#endif
