// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* What must be noted in time to name an owner later, when a kernel thread submits. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "calls.bpf.h"
#include "kernel_owner.bpf.h"
#include "twice.bpf.h"

/*
 * Note the current user of an inode. Mostly it is the one noted already: written only on change. (The
 * maps forget the least recently used inode: they cannot be full.)
 */
static __always_inline void inode_note(void *map, u64 inode, const struct inode_user *before,
				       u32 owner)
{
	struct inode_user now = { .owner = owner };
	struct owner *o = owner_get(owner);

	if (o)
		now.start_boot_ns = o->start_boot_ns;
	if (before && before->owner == now.owner && before->start_boot_ns == now.start_boot_ns)
		return;
	bpf_map_update_elem(map, &inode, &now, BPF_ANY);
}

/*
 * A page joins a file's cache because `current` reads it. Noted for threads of the job; a reader
 * outside it only takes over an inode that the job read before.
 */
TRACE_TWICE("mm_filemap_add_to_page_cache", page_added, struct folio *folio)
{
	u64 inode = (u64)BPF_CORE_READ(added_mapping(folio), host);
	struct inode_user *before = bpf_map_lookup_elem(&inode_readers, &inode);
	struct task *task;

	if (before || config_all) {
		task = task_current();
	} else {
		task = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), NULL, 0);
		if (!task || task->owner == OWNER_OUTSIDE)
			return 0;
	}
	if (config_ledger && !config_has_filemap_fault && task && task->thread)
		fault_note_added(task, bpf_get_current_task_btf(), (struct inode *)inode);
	/* A kernel thread: for whom it reads is not known. */
	inode_note(&inode_readers, inode, before, task ? task->owner : OWNER_UNKNOWN);
	return 0;
}

/*
 * A page becomes dirty: `current` wrote to it, by a call or through a mapping. Sooner or later a thread
 * of the kernel writes it back, and then nothing else tells whose it is. Of two processes that write to
 * one file it is the last.
 */
TRACE_TWICE("writeback_dirty_folio", page_dirtied, struct folio *folio,
	    struct address_space *mapping)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct kernel_name thread;
	struct inode_user *before;
	struct task *task;
	u64 inode;
	u32 owner;

	if (!mapping)
		return 0;
	inode = (u64)BPF_CORE_READ(mapping, host);
	before = bpf_map_lookup_elem(&inode_writers, &inode);
	task = task_current();
	if (task) {
		owner = task->owner;
	} else if (is_kernel_thread(t)) {
		kernel_thread_name(t, &thread);
		if (before && is_flusher(thread.text))
			return 0;
		owner = owner_of_name(&thread);
	} else {
		owner = owner_of_process((u64)BPF_CORE_READ(t, group_leader));
	}
	inode_note(&inode_writers, inode, before, owner);
	return 0;
}
