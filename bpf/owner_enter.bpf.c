// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* How owners get their entries: what happens once for each of them. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "kernel_owner.bpf.h"

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

__noinline u32 owner_new(u64 leader_address, u32 inherit)
{
	struct task_struct *leader = (void *)leader_address;
	u32 tgid = BPF_CORE_READ(leader, tgid);
	struct owner *o, *from;
	u32 index;

	o = owner_take(&index, OWNER_PROCESS);
	if (!o)
		return owner_drop(tgid);
	owner_describe(o, leader);
	o->trainer = index;
	from = inherit >= OWNER_FIRST ? owner_get(inherit) : NULL;
	if (from) {
		__builtin_memcpy(o->cmdline, from->cmdline, sizeof(o->cmdline));
		o->cmdline_len = from->cmdline_len;
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

__noinline u32 owner_of_process(u64 leader_address)
{
	struct task_struct *leader = (void *)leader_address;
	u32 tgid = BPF_CORE_READ(leader, tgid);
	u32 index = owner_find(tgid, BPF_CORE_READ(leader, start_boottime));

	if (index != OWNER_UNKNOWN)
		return index;
	if (config_all && visible_pid(leader))
		return owner_new(leader_address, OWNER_UNKNOWN);
	return OWNER_OUTSIDE;
}

/*
 * Give the current thread storage, or the owner that it has since membership changed; false for
 * a kernel thread, and (counted) if the kernel has no memory. Threads of the job have storage since
 * their fork; here come those outside it, and under -a all, at their first request.
 */
__noinline bool task_enter(void)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct task *task;
	struct owner *o;

	if (is_kernel_thread(t))
		return false;
	task = bpf_task_storage_get(&tasks, t, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!task) {
		__sync_fetch_and_add(&loss.threads_dropped, 1);
		return false;
	}
	task->epoch = membership_epoch;
	task_set_owner(task, owner_of_process((u64)BPF_CORE_READ(t, group_leader)));
	o = owner_get(task->owner);
	if (o && o->kind == OWNER_PROCESS && !o->cmdline_len)
		owner_read_cmdline(o, t);
	return true;
}

__noinline u32 owner_of_name(const struct kernel_name *name)
{
	u32 *found, index;
	struct owner *o;

	if (!name)
		return OWNER_UNKNOWN;
	found = bpf_map_lookup_elem(&owner_by_name, name);
	if (found)
		return *found;
	o = owner_take(&index, OWNER_KERNEL);
	if (!o)
		return OWNER_UNKNOWN;
	__builtin_memcpy(o->cmdline, name->text, sizeof(name->text));
	if (bpf_map_update_elem(&owner_by_name, name, &index, BPF_NOEXIST)) {
		owner_give_back(index, o);
		found = bpf_map_lookup_elem(&owner_by_name, name);
		return found ? *found : OWNER_UNKNOWN;
	}
	return index;
}
