/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The system call or the page fault that a thread is in. */
#ifndef WHYSTALL_CALLS_BPF_H
#define WHYSTALL_CALLS_BPF_H

#include <bpf/bpf_core_read.h>
#include "maps.bpf.h"

/*
 * The system call that a thread is in and its first arguments; -1: none. With it what the thread's own fields tell of a
 * wait: read at once through its typed pointer these are loads, and later by its address calls of a helper each.
 */
struct call {
	long number;
	u64 argument[4];
	u64 jobctl;
	u32 flags;
	u32 state;
	bool iowait;
	bool memstall;
	bool compat; /* of a 32-bit program */
};

/* A sleep: its state in the ledger, and where its storage is, as far as that is known. */
struct sleep {
	u32 state;
	u32 device;          /* where no file is known */
	struct inode *inode; /* of the file or the folder */
	struct file *socket; /* that is an INET socket */
};

/* TS_COMPAT of x86, TIF_32BIT of arm64. */
static __always_inline bool is_compat(struct task_struct *t)
{
#if defined(__TARGET_ARCH_x86)
	return t->thread_info.status & 2;
#else
	return t->thread_info.flags & (1UL << 22);
#endif
}

static __always_inline void call_read(struct task_struct *t, struct call *call)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(t);

	call->jobctl = t->jobctl;
	call->flags = t->flags;
	call->state = t->__state;
	call->iowait = BPF_CORE_READ_BITFIELD(t, in_iowait);
	call->memstall =
		bpf_core_field_exists(t->in_memstall) && BPF_CORE_READ_BITFIELD(t, in_memstall);
	call->compat = is_compat(t);

#if defined(__TARGET_ARCH_x86)
	call->number = regs->orig_ax;
	call->argument[0] = regs->di;
	call->argument[1] = regs->si;
	call->argument[2] = regs->dx;
	call->argument[3] = regs->r10;
#else
	call->number = regs->syscallno;
	call->argument[0] = regs->orig_x0;
	call->argument[1] = regs->regs[1];
	call->argument[2] = regs->regs[2];
	call->argument[3] = regs->regs[3];
#endif
}

/* Page faults that the thread has completed: tells whether the one that was noted goes on. */
static __always_inline u64 faults_done(struct task_struct *t)
{
	return BPF_CORE_READ(t, min_flt) + BPF_CORE_READ(t, maj_flt) + 1; /* 0 is none */
}

/* The current thread's fault is looked up in a file's cache. */
static __always_inline void fault_note(struct task *task, struct task_struct *t,
				       struct inode *inode)
{
	task->fault_inode = (u64)inode;
	task->fault_number = faults_done(t);
}

/* Its fault adds a page of the file to the cache; other ways to read have a system call. */
static __always_inline void fault_note_added(struct task *task, struct task_struct *t,
					     struct inode *inode)
{
	struct call call;

	call_read(t, &call);
	if (call.number == -1)
		fault_note(task, t, inode);
}

/* In a page fault, or one inside a system call, whose file is known. */
static __always_inline bool is_in_noted_fault(struct task_struct *t, const struct task *task)
{
	return task->fault_number && task->fault_number == faults_done(t);
}

#endif
