/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Owners that are no process: what the kernel does I/O for on its own account. */
#ifndef WHYSTALL_KERNEL_OWNER_BPF_H
#define WHYSTALL_KERNEL_OWNER_BPF_H

#include "owner.bpf.h"

/* The owner with this name; OWNER_UNKNOWN when there is no room for it. */
u32 owner_of_name(const struct kernel_name *name);

/* Pages of swap: whoever needs memory writes out anybody's. */
static __always_inline u32 owner_of_swap(void)
{
	struct kernel_name name = { "swap" };

	return owner_of_name(&name);
}

/* A file system's own data, which no single process caused. */
static __always_inline u32 owner_of_file_system(struct super_block *sb)
{
	struct kernel_name name = {};

	bpf_probe_read_kernel_str(name.text, sizeof(name.text), BPF_CORE_READ(sb, s_type, name));
	return owner_of_name(&name);
}

/*
 * The name of a kernel thread: for a worker that of the queue that it works for, for another one its
 * own ("jbd2/sda1-8", "md0_raid5").
 */
static __always_inline void kernel_thread_name(struct task_struct *t, struct kernel_name *name)
{
	struct workqueue_struct *wq;
	struct worker *worker;

	__builtin_memset(name, 0, sizeof(*name));
	if (!(t->flags & PF_WQ_WORKER)) {
		bpf_core_read(name->text, COMM_LEN, &t->comm);
		return;
	}
	worker = BPF_CORE_READ(kthread_of(t), data);
	wq = BPF_CORE_READ(worker, current_pwq, wq);
	bpf_probe_read_kernel_str(name->text, sizeof(name->text),
				  __builtin_preserve_access_index(&wq->name));
}

/* It sends what an I/O limit held back: whoever that was. */
static __always_inline bool is_throttle(const char *s)
{
	return s[0] == 'k' && s[1] == 't' && s[2] == 'h' && s[3] == 'r' && s[4] == 'o';
}

/* The flusher or a journal: what it makes dirty again while it writes is still its writer's. */
static __always_inline bool is_flusher(const char *s)
{
	return (s[0] == 'w' && s[1] == 'r' && s[2] == 'i' && s[3] == 't' && s[4] == 'e') ||
	       (s[0] == 'j' && s[1] == 'b' && s[2] == 'd' && s[3] == '2');
}

/* "loop0": it serves a loop device from its file. */
static __always_inline bool is_loop_worker(const char *s)
{
	return s[0] == 'l' && s[1] == 'o' && s[2] == 'o' && s[3] == 'p' && s[4] >= '0' &&
	       s[4] <= '9';
}

#endif
