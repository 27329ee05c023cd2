// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* What must be noted in time to name an owner later, when a kernel thread submits. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "owner.bpf.h"

/*
 * A page joins a file's cache because `current` reads it. Noted for threads of the job; a reader
 * outside it only takes over an inode that the job read before.
 */
SEC("tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(page_added, struct folio *folio)
{
	u64 inode = (u64)BPF_CORE_READ(added_mapping(folio), host);
	struct reader *before = bpf_map_lookup_elem(&inode_readers, &inode);
	struct reader now = { .owner = OWNER_UNKNOWN }; /* a kernel thread: for whom is not known */
	struct owner *o;
	struct task *task;

	if (before || config_all) {
		task = task_current();
	} else {
		task = bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), NULL, 0);
		if (!task || task->owner == OWNER_OUTSIDE)
			return 0;
	}
	if (task)
		now.owner = task->owner;
	o = owner_get(now.owner);
	if (o)
		now.start_boot_ns = o->start_boot_ns;
	if (before && before->owner == now.owner && before->start_boot_ns == now.start_boot_ns)
		return 0;
	/* The map forgets the least recently used inode: it cannot be full. */
	bpf_map_update_elem(&inode_readers, &inode, &now, BPF_ANY);
	return 0;
}
