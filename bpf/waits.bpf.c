// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What a thread that goes to sleep waits for. It is read from where the thread has left its marks: the saved
 * registers (which system call, or none: a page fault), the table of open files, and the kernel's own
 * in_iowait. No system call is traced.
 *
 * The structures are read while others may change them; what is read can be wrong then, as any answer is
 * that was true a moment ago, but never more than that: all reads are checked by the kernel.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "descriptors.bpf.h"
#include "files.bpf.h"
#include "syscalls.h"
#include "uring.bpf.h"
#include "waits.bpf.h"

/*
 * A thread waits for I/O that it, or another thread of its process, has submitted before. Its direction and
 * device are those that the process has most requests in flight for.
 */
__noinline bool requests_in_flight(u32 owner, struct sleep *sleep)
{
	struct owner *o = owner == OWNER_OUTSIDE ? NULL : owner_get(owner);
	u64 most = 0;

	for (int i = 0; o && sleep && i < OWNER_ROWS; i++) {
		u32 index = o->rows[i] - 1;
		struct io_row *row = o->rows[i] ? bpf_map_lookup_elem(&rows, &index) : NULL;

		if (!row || row->key.owner != owner || row->started <= row->requests ||
		    row->started - row->requests <= most)
			continue;
		most = row->started - row->requests;
		sleep->device = row->key.device;
		sleep->state = row->key.op == IO_READ ? LEDGER_STORAGE_READ : LEDGER_STORAGE_WRITE;
	}
	return most != 0;
}

/*
 * Does the kernel hold a writer back, because too much is dirty on its device? It has just noted so; up to
 * two ticks ago, since an interrupt may come in between.
 */
static __always_inline bool is_held_back(struct inode *inode)
{
	return (unsigned long)bpf_jiffies64() - held_back_jiffies(inode) <= 2;
}

/* The folder that a path is looked up in, if the thread is on its way there. */
static __always_inline struct inode *inode_of_lookup(struct task_struct *t)
{
	struct nameidata *lookup = BPF_CORE_READ(t, nameidata);

	return lookup ? BPF_CORE_READ(lookup, path.dentry, d_inode) : NULL;
}

static __always_inline bool is_fifo(struct inode *inode)
{
	return (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFIFO;
}

/* The state of a thread whose call is about a file on storage. */
static __always_inline u32 state_of_call(u32 kind)
{
	switch (kind) {
	case CALL_READ:
		return LEDGER_STORAGE_READ;
	case CALL_WRITE:
		return LEDGER_STORAGE_WRITE;
	case CALL_SYNC:
		return LEDGER_FSYNC;
	default:
		return LEDGER_STORAGE_META;
	}
}

/*
 * Asleep on a descriptor, the first argument as a rule. sendfile reads its second one, and splice has a pipe
 * on one side: in_iowait tells whether the file is waited for, or else the other side.
 */
static __always_inline void sleep_on_file(struct task_struct *t, const struct call *call, u32 kind,
					  struct sleep *sleep)
{
	bool iowait = call->iowait;
	u32 fd = call->argument[0];
	struct open_files open;
	struct file *file;
	u32 what;

	if (kind == CALL_SENDFILE) {
		fd = iowait ? call->argument[1] : call->argument[0];
		kind = CALL_READ;
	}
	open_files_read(t, &open);
	file = open_files_get(&open, fd);
	what = file_kind((u64)file);
	if (kind == CALL_SPLICE) {
		kind = what == FD_STORAGE ? CALL_READ : CALL_WRITE;
		if (iowait != (what == FD_STORAGE)) {
			file = open_files_get(&open, call->argument[2]);
			what = file_kind((u64)file);
		}
	}
	sleep->state = state_of_file(what, state_of_call(kind));
	if (what == FD_INET)
		sleep->socket = file;
	if (kind == CALL_WRITE && sleep->state == LEDGER_IPC)
		sleep->state = LEDGER_SEND;
	if (what == FD_STORAGE) {
		sleep->inode = inode_of(file);
		if (kind == CALL_WRITE && iowait && is_held_back(sleep->inode))
			sleep->state = LEDGER_DIRTY_LIMIT;
	} else if (iowait && what & (FD_PIPE | FD_INET | FD_TIMER)) {
		sleep->state = LEDGER_STORAGE_FAULT; /* of its buffer */
	} else if (iowait && what != FD_GPU) {
		sleep->state = state_of_call(kind);
	}
}

static __always_inline void sleep_in_fault(const struct call *call, struct sleep *sleep)
{
	if (call->iowait)
		sleep->state = LEDGER_STORAGE_FAULT;
	else if (call->state & TASK_UNINTERRUPTIBLE)
		sleep->state = LEDGER_LOCK; /* of the address space */
}

/* Another thread's memory cannot be read from here. */
static __always_inline bool is_current(struct task_struct *t)
{
	return (u64)t == bpf_get_current_task();
}

static __always_inline void sleep_in_call(struct task_struct *t, struct task *task,
					  const struct call *call, struct sleep *sleep)
{
	bool iowait = call->iowait;
	u32 kind = (u64)call->number < MAX_SYSCALLS ?
			   call_kinds[call->number & (MAX_SYSCALLS - 1)] :
			   CALL_OTHER;
	struct open_files open;

	switch (kind) {
	case CALL_READ:
	case CALL_SENDFILE:
	case CALL_SPLICE:
	case CALL_WRITE:
	case CALL_SYNC:
	case CALL_META:
		sleep_on_file(t, call, kind, sleep);
		return;
	case CALL_SYNC_ALL:
		sleep->state = LEDGER_FSYNC;
		return;
	case CALL_PATH:
		sleep->state = LEDGER_STORAGE_META;
		sleep->inode = inode_of_lookup(t);
		if (sleep->inode && is_fifo(sleep->inode))
			sleep->state = LEDGER_IPC; /* until its other end is opened */
		return;
	case CALL_AIO:
		if (!requests_in_flight(task->owner, sleep) && iowait)
			sleep->state = LEDGER_STORAGE_READ;
		return;
	case CALL_URING:
		if (!requests_in_flight(task->owner, sleep))
			sleep->state = state_of_ring((u64)t, call);
		return;
	case CALL_EXEC:
		sleep->state = iowait ? LEDGER_STORAGE_READ : LEDGER_STORAGE_META;
		sleep->inode = inode_of_lookup(t);
		return;
	}
	if (iowait) {
		/* Not a call that waits for storage by itself: a page that it needs. */
		sleep->state = kind == CALL_OTHER ? LEDGER_STORAGE_META : LEDGER_STORAGE_FAULT;
		return;
	}
	switch (kind) {
	case CALL_POLL:
		if (is_current(t))
			sleep_in_poll_call((u64)t, call, sleep);
		return;
	case CALL_SELECT:
		if (is_current(t))
			sleep_in_select_call((u64)t, call, sleep);
		return;
	case CALL_EPOLL:
		open_files_read(t, &open);
		sleep_in_epoll_call((u64)open_files_get(&open, call->argument[0]), sleep);
		return;
	case CALL_LOCK:
		sleep->state = LEDGER_LOCK;
		return;
	case CALL_IPC:
		sleep->state = LEDGER_IPC;
		return;
	case CALL_SLEEP:
		sleep->state = LEDGER_SLEEP;
		return;
	case CALL_MEMORY:
		if (call->state & TASK_UNINTERRUPTIBLE)
			sleep->state = LEDGER_LOCK;
		return;
	}
}

/* Stopped, traced or frozen on its way back to the program: not what its system call waits for. */
static __always_inline bool is_held(const struct call *call)
{
	return call->state & (__TASK_STOPPED | __TASK_TRACED | TASK_FROZEN) ||
	       call->jobctl & JOBCTL_TRAP_FREEZE;
}

/*
 * Made to wait, on its way back too, because its control group has taken too much memory. So does the kernel
 * call a read of what it has just dropped: with in_iowait where there is a device, else it looks the same.
 */
static __always_inline bool lacks_memory(const struct call *call, const struct sleep *sleep)
{
	struct inode *inode = sleep->inode;

	if (call->iowait || !call->memstall)
		return false;
	return !inode || BPF_CORE_READ(inode, i_sb, s_bdev);
}

static __always_inline void sleep_of_program(struct task_struct *t, struct task *task,
					     const struct call *call, struct sleep *sleep)
{
	if (is_in_noted_fault(t, task)) {
		sleep->state = LEDGER_STORAGE_FAULT;
		sleep->inode = (struct inode *)task->fault_inode;
		return;
	}
	if (call->flags & PF_EXITING) {
		if (call->iowait)
			sleep->state = LEDGER_STORAGE_META;
		return;
	}
	if (call->number == -1) {
		sleep_in_fault(call, sleep);
		return;
	}
	if (call->compat) {
		__sync_fetch_and_add(&compat_sleeps, 1);
		if (call->iowait)
			sleep->state = LEDGER_STORAGE_META;
		return;
	}
	/* After a stop the same sleep goes on. */
	if (call->number == __NR_restart_syscall) {
		if (task->call_state)
			sleep->state = task->call_state;
		return;
	}
	sleep_in_call(t, task, call, sleep);
	if (sleep->state != LEDGER_OTHER)
		task->call_state = sleep->state;
}

__noinline int sleep_find(u64 thread, struct task *task, const struct call *call,
			  struct sleep *sleep)
{
	struct task_struct *t = (void *)thread;

	if (!task || !call || !sleep)
		return 0;
	sleep->state = LEDGER_OTHER;
	if (is_held(call))
		return 0;
	if (call->flags & PF_IO_WORKER) {
		sleep_of_worker((u64)t, sleep);
		return 0;
	}
	sleep_of_program(t, task, call, sleep);
	if (lacks_memory(call, sleep)) {
		sleep->state = LEDGER_OTHER;
		sleep->inode = NULL;
	}
	return 0;
}

__noinline u32 sleep_place(const struct sleep *sleep, u32 owner)
{
	struct super_block *sb;
	struct inode *inode;
	u32 index, device;

	if (!sleep)
		return 0;
	inode = sleep->inode;
	device = sleep->device;
	/* A server's thread has a ledger, and is not of the job: no file of it is followed. */
	if (ledger_wait_kind(sleep->state) < 0 || owner == OWNER_OUTSIDE)
		return 0;
	sb = inode ? BPF_CORE_READ(inode, i_sb) : NULL;
	/* A device's own inode, behind that of its node, has no name. */
	if (sb && BPF_CORE_READ(sb, s_magic) == BDEVFS_MAGIC) {
		device = BPF_CORE_READ(inode, i_rdev);
		sb = NULL;
	}
	if (!sb)
		return device ? file_find_any(FILE_OF_DEVICE, device, device, owner) + 1 : 0;
	index = file_find((u64)inode, owner, IO_READ);
	if (index == FILE_NONE) {
		index = file_find_any(FILE_OF_FILE_SYSTEM, BPF_CORE_READ(sb, s_dev),
				      device_of_file_system(sb), owner);
	}
	return index + 1;
}

/* The other end's port, in the host's order, if its address is one of this host: a loopback address, or the socket's own. */
static __always_inline u32 local_peer_port(struct sock *sk)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	u32 to[4] = {}, from[4] = {};
	bool local;

	if (family == AF_INET) {
		to[3] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		from[3] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	} else if (family == AF_INET6 && bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		bpf_core_read(to, sizeof(to), &sk->__sk_common.skc_v6_daddr);
		bpf_core_read(from, sizeof(from), &sk->__sk_common.skc_v6_rcv_saddr);
	}
	/* 127.0.0.0/8, as an IPv6 address too; ::1 is the socket's own as well. */
	local = (to[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000) &&
		(family == AF_INET || to[2] == bpf_htonl(0xffff));
	if (!local)
		local = (to[0] | to[1] | to[2] | to[3]) && to[0] == from[0] && to[1] == from[1] &&
			to[2] == from[2] && to[3] == from[3];
	return local ? bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport)) : 0;
}

__noinline int socket_note(struct thread *thread, u64 address)
{
	struct file *file = (void *)address;
	struct socket *socket = BPF_CORE_READ(file, private_data);

	if (!thread)
		return 0;
	thread->socket = BPF_CORE_READ(file, f_inode, i_ino);
	thread->peer_port = local_peer_port(BPF_CORE_READ(socket, sk));
	return 0;
}
