/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a thread that goes to sleep waits for. It is read from where the thread has left its marks: the saved
 * registers (which system call, or none: a page fault), the table of open files, and the kernel's own
 * in_iowait. No system call is traced.
 *
 * The structures are read while others may change them; what is read can be wrong then, as any answer is
 * that was true a moment ago, but never more than that: all reads are checked by the kernel.
 */
#ifndef WHYSTALL_WAITS_BPF_H
#define WHYSTALL_WAITS_BPF_H

#include "calls.bpf.h"
#include "files.bpf.h"
#include "syscalls.bpf.h"

/* Descriptors that are looked at in one poll, select or epoll. */
enum { MAX_POLLED = 64, MAX_SELECTED_WORDS = 16 };

/* What a descriptor stands for, a bit each: a poll has several. */
enum fd_kind {
	FD_STORAGE = 1,
	FD_PIPE = 2, /* UNIX sockets, eventfd and their like too */
	FD_INET = 4,
	FD_TIMER = 8,
	FD_GPU = 16,
	FD_DEVICE = 32,
};

/* A sleep: its state in the ledger, and where its storage is, as far as that is known. */
struct sleep {
	u32 state;
	u32 device;          /* where no file is known */
	struct inode *inode; /* of the file or the folder */
};

/* In a system call of a 32-bit program? TS_COMPAT of x86, TIF_32BIT of arm64. */
static __always_inline bool is_compat(struct task_struct *t)
{
#if defined(__TARGET_ARCH_x86)
	return t->thread_info.status & 2;
#else
	return t->thread_info.flags & (1UL << 22);
#endif
}

static __always_inline bool in_iowait(struct task_struct *t)
{
	return BPF_CORE_READ_BITFIELD_PROBED(t, in_iowait);
}

/* The files of a thread, read once for many descriptors. */
struct open_files {
	struct file **files;
	u32 count;
};

static __always_inline void open_files_read(struct task_struct *t, struct open_files *open)
{
	struct fdtable *table = BPF_CORE_READ(t, files, fdt);

	open->count = BPF_CORE_READ(table, max_fds);
	open->files = BPF_CORE_READ(table, fd);
}

static __always_inline struct file *open_files_get(const struct open_files *open, u32 fd)
{
	struct file *file = NULL;

	if (fd < open->count)
		bpf_probe_read_kernel(&file, sizeof(file), open->files + fd);
	return file;
}

static __always_inline struct inode *inode_of(struct file *file)
{
	return file ? BPF_CORE_READ(file, f_inode) : NULL;
}

/* eventfd, timerfd, epoll and so on; they are known by the names that they have in /proc/PID/fd. */
static __always_inline u32 anonymous_kind(struct file *file)
{
	char name[3] = {}; /* "[timerfd]" */

	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	return name[1] == 't' && name[2] == 'i' ? FD_TIMER : FD_PIPE;
}

static __always_inline u32 socket_kind(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);
	u16 family = BPF_CORE_READ(socket, sk, __sk_common.skc_family);

	return family == AF_INET || family == AF_INET6 || family == AF_SMC ? FD_INET : FD_PIPE;
}

/* Not a file system on which anything is stored. */
static __always_inline bool is_pseudo(unsigned long magic)
{
	return magic == PROC_SUPER_MAGIC || magic == SYSFS_MAGIC || magic == DEBUGFS_MAGIC ||
	       magic == TRACEFS_MAGIC || magic == CGROUP_SUPER_MAGIC ||
	       magic == CGROUP2_SUPER_MAGIC;
}

static __noinline u32 file_kind(struct file *file)
{
	struct inode *inode = inode_of(file);
	unsigned long magic;

	if (!inode)
		return 0;
	magic = BPF_CORE_READ(inode, i_sb, s_magic);
	/* Before the type: it became S_IFREG in v6.16. */
	if (magic == ANON_INODE_FS_MAGIC)
		return anonymous_kind(file);
	switch (BPF_CORE_READ(inode, i_mode) & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
		return is_pseudo(magic) ? FD_DEVICE : FD_STORAGE;
	case S_IFBLK:
		return FD_STORAGE;
	case S_IFIFO:
		return FD_PIPE;
	case S_IFSOCK:
		return socket_kind(file);
	case S_IFCHR:
		return config_gpu_majors[BPF_CORE_READ(inode, i_rdev) >> 20 & (GPU_MAJORS - 1)] ?
			       FD_GPU :
			       FD_DEVICE;
	default:
		return FD_PIPE; /* a pidfd, where it is no anonymous inode */
	}
}

/* The state of a thread that waits for one descriptor. */
static __always_inline u32 state_of_file(u32 kind, u32 storage)
{
	switch (kind) {
	case FD_STORAGE:
		return storage;
	case FD_PIPE:
		return LEDGER_IPC;
	case FD_INET:
		return LEDGER_NETWORK;
	case FD_TIMER:
		return LEDGER_SLEEP;
	case FD_GPU:
		return LEDGER_GPU;
	default:
		return LEDGER_OTHER;
	}
}

/* The state of a thread that waits for any of several, whose kinds are added up. */
static __always_inline u32 state_of_poll(u32 kinds)
{
	if (kinds & FD_INET)
		return LEDGER_NETWORK;
	if (!(kinds & ~FD_TIMER))
		return LEDGER_SLEEP;
	return kinds == FD_GPU ? LEDGER_GPU : LEDGER_IPC;
}

/* A walk over the descriptors of a poll, until one decides. */
struct poll_walk {
	struct open_files open;
	u64 list;             /* of struct pollfd, in the thread's memory */
	u32 count;            /* descriptors */
	u32 kinds;            /* of those seen */
	struct rb_node *node; /* of an epoll */
};

static __always_inline bool poll_add(struct poll_walk *walk, struct file *file)
{
	if (file)
		walk->kinds |= file_kind(file);
	return walk->kinds & FD_INET;
}

static long step_poll(u32 index, struct poll_walk *walk)
{
	struct pollfd polled;

	if (index >= walk->count ||
	    bpf_probe_read_user(&polled, sizeof(polled),
				(void *)(walk->list + index * sizeof(polled))))
		return 1;
	return polled.fd >= 0 && poll_add(walk, open_files_get(&walk->open, polled.fd));
}

static __noinline u32 state_of_poll_call(struct task_struct *t, const struct call *call)
{
	struct poll_walk walk = { .list = call->argument[0], .count = call->argument[1] };

	open_files_read(t, &walk.open);
	REPEAT(MAX_POLLED, step_poll, &walk);
	return state_of_poll(walk.kinds);
}

/* Words of all three sets, and the descriptors in one of them. */
struct select_walk {
	struct poll_walk poll;
	u64 sets[3]; /* in the thread's memory; 0: not given */
	u64 word;
	u32 base;
	u32 left; /* so many descriptors more are looked at */
};

static __always_inline u32 lowest_bit(u64 word)
{
	u32 bit = 0;

	for (int width = 32; width; width >>= 1)
		if (!(word & ((1ULL << width) - 1))) {
			word >>= width;
			bit += width;
		}
	return bit;
}

static long step_select_descriptor(u32 index, struct select_walk *walk)
{
	u32 bit;

	if (!walk->word || !walk->left)
		return 1;
	walk->left--;
	bit = lowest_bit(walk->word);
	walk->word &= walk->word - 1;
	return poll_add(&walk->poll, open_files_get(&walk->poll.open, walk->base + bit));
}

static __always_inline u64 select_word(u64 set, u32 index)
{
	u64 word = 0;

	if (set)
		bpf_probe_read_user(&word, sizeof(word), (void *)(set + index * sizeof(word)));
	return word;
}

static long step_select_word(u32 index, struct select_walk *walk)
{
	u32 base = index * 64;

	if (base >= walk->poll.count)
		return 1;
	walk->word = select_word(walk->sets[0], index) | select_word(walk->sets[1], index) |
		     select_word(walk->sets[2], index);
	if (walk->poll.count - base < 64)
		walk->word &= (1ULL << (walk->poll.count - base)) - 1;
	walk->base = base;
	REPEAT(MAX_POLLED, step_select_descriptor, walk);
	return !walk->left || (walk->poll.kinds & FD_INET);
}

static __noinline u32 state_of_select_call(struct task_struct *t, const struct call *call)
{
	struct select_walk walk = {
		.poll.count = call->argument[0],
		.sets = { call->argument[1], call->argument[2], call->argument[3] },
		.left = MAX_POLLED,
	};

	open_files_read(t, &walk.poll.open);
	REPEAT(MAX_SELECTED_WORDS, step_select_word, &walk);
	return state_of_poll(walk.poll.kinds);
}

/* The next node of a tree of up to 2^16 items, in their order. */
static __always_inline struct rb_node *next_node(struct rb_node *node)
{
	struct rb_node *next = BPF_CORE_READ(node, rb_right);

	if (next) {
		for (int i = 0; i < 16; i++) {
			struct rb_node *left = BPF_CORE_READ(next, rb_left);

			if (!left)
				return next;
			next = left;
		}
		return NULL;
	}
	for (int i = 0; i < 32; i++) {
		next = (void *)(BPF_CORE_READ(node, __rb_parent_color) & ~3UL);
		if (!next || BPF_CORE_READ(next, rb_right) != node)
			return next;
		node = next;
	}
	return NULL;
}

static long step_epoll(u32 index, struct poll_walk *walk)
{
	struct rb_node *node = walk->node;
	struct epitem *item;

	if (!node)
		return 1;
	item = (void *)node - bpf_core_field_offset(struct epitem, rbn);
	if (poll_add(walk, BPF_CORE_READ(item, ffd.file)))
		return 1;
	walk->node = next_node(node);
	return 0;
}

static __noinline u32 state_of_epoll_call(struct file *file)
{
	struct poll_walk walk = {};
	struct eventpoll *epoll;

	if (!file)
		return LEDGER_OTHER;
	epoll = BPF_CORE_READ(file, private_data);
	walk.node = BPF_CORE_READ(epoll, rbr.rb_leftmost);
	REPEAT(MAX_POLLED, step_epoll, &walk);
	return state_of_poll(walk.kinds);
}

/*
 * A thread waits for I/O that it, or another thread of its process, has submitted before. Its direction and
 * device are those that the process has most requests in flight for.
 */
static __noinline bool requests_in_flight(u32 owner, struct sleep *sleep)
{
	struct owner *o = owner_get(owner);
	u64 most = 0;

	for (int i = 0; o && i < OWNER_ROWS; i++) {
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

/* Does the kernel hold a writer back, because too much is dirty on its device? */
static __always_inline bool is_held_back(struct inode *inode)
{
	struct backing_dev_info *bdi = BPF_CORE_READ(inode, i_sb, s_bdi);

	return bpf_core_field_exists(bdi->last_bdp_sleep) &&
	       BPF_CORE_READ(bdi, last_bdp_sleep) == (unsigned long)bpf_jiffies64();
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

/* Asleep on a descriptor: the first argument, or for sendfile the second while its file is read. */
static __always_inline void sleep_on_file(struct task_struct *t, const struct call *call, u32 kind,
					  bool iowait, struct sleep *sleep)
{
	u32 fd = kind == CALL_SENDFILE && iowait ? call->argument[1] : call->argument[0];
	struct open_files open;
	struct file *file;
	u32 what, state = LEDGER_STORAGE_META;

	open_files_read(t, &open);
	file = open_files_get(&open, fd);
	what = file_kind(file);
	if (kind == CALL_READ || kind == CALL_SENDFILE)
		state = LEDGER_STORAGE_READ;
	else if (kind == CALL_WRITE)
		state = LEDGER_STORAGE_WRITE;
	else if (kind == CALL_SYNC)
		state = LEDGER_FSYNC;
	if (what == FD_STORAGE) {
		sleep->inode = inode_of(file);
		if (kind == CALL_WRITE && iowait && is_held_back(sleep->inode))
			state = LEDGER_DIRTY_LIMIT;
	}
	sleep->state = iowait ? state : state_of_file(what, state);
}

static __noinline void sleep_in_fault(struct task_struct *t, bool iowait, struct sleep *sleep)
{
	if (iowait)
		sleep->state = LEDGER_STORAGE_FAULT;
	else if (t->__state & TASK_UNINTERRUPTIBLE)
		sleep->state = LEDGER_LOCK; /* of the address space */
}

static __noinline void sleep_in_call(struct task_struct *t, const struct task *task,
				     const struct call *call, bool iowait, struct sleep *sleep)
{
	u32 kind = (u64)call->number < MAX_SYSCALLS ?
			   call_kinds[call->number & (MAX_SYSCALLS - 1)] :
			   CALL_OTHER;
	struct open_files open;

	switch (kind) {
	case CALL_READ:
	case CALL_SENDFILE:
	case CALL_WRITE:
	case CALL_SYNC:
	case CALL_META:
		sleep_on_file(t, call, kind, iowait, sleep);
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
	case CALL_URING:
		if (requests_in_flight(task->owner, sleep) || !iowait)
			return;
		sleep->state = LEDGER_STORAGE_READ;
		return;
	case CALL_EXEC:
		sleep->state = iowait ? LEDGER_STORAGE_READ : LEDGER_STORAGE_META;
		sleep->inode = inode_of_lookup(t);
		return;
	}
	if (iowait) {
		sleep->state = kind == CALL_MEMORY ? LEDGER_STORAGE_FAULT : LEDGER_STORAGE_META;
		return;
	}
	switch (kind) {
	case CALL_POLL:
	case CALL_SELECT:
		/* Another thread's memory cannot be read from here. */
		if (t == bpf_get_current_task_btf())
			sleep->state = kind == CALL_POLL ? state_of_poll_call(t, call) :
							   state_of_select_call(t, call);
		return;
	case CALL_EPOLL:
		open_files_read(t, &open);
		sleep->state = state_of_epoll_call(open_files_get(&open, call->argument[0]));
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
		if (t->__state & TASK_UNINTERRUPTIBLE)
			sleep->state = LEDGER_LOCK;
		return;
	}
}

/* What the thread waits for, which is about to sleep, or is asleep. */
static __always_inline void sleep_read(struct task_struct *t, const struct task *task,
				       struct sleep *sleep)
{
	bool iowait = in_iowait(t);
	struct call call;

	sleep->state = LEDGER_OTHER;
	if (t->flags & PF_IO_WORKER) {
		sleep->state = LEDGER_IDLE;
		if (iowait && !requests_in_flight(task->owner, sleep))
			sleep->state = LEDGER_STORAGE_READ;
		return;
	}
	if (t->__state & (__TASK_STOPPED | __TASK_TRACED))
		return;
	if (iowait && is_in_noted_fault(t, task)) {
		sleep->state = LEDGER_STORAGE_FAULT;
		sleep->inode = (struct inode *)task->fault_inode;
		return;
	}
	if (t->flags & PF_EXITING) {
		if (iowait)
			sleep->state = LEDGER_STORAGE_META;
		return;
	}
	call_read(t, &call);
	if (call.number == -1) {
		sleep_in_fault(t, iowait, sleep);
		return;
	}
	if (is_compat(t)) {
		__sync_fetch_and_add(&compat_sleeps, 1);
		if (iowait)
			sleep->state = LEDGER_STORAGE_META;
		return;
	}
	sleep_in_call(t, task, &call, iowait, sleep);
}

/* The row of all files of a file system that have none of their own, or of a device. */
static __noinline u32 file_find_any(u32 kind, u32 file_system, u32 device, u32 owner)
{
	struct file_key key = { .owner = owner, .kind = kind, .file_system = file_system };
	u32 index = file_row_find(&key);

	return index != FILE_NONE ? index : file_row_new(&key, device, NULL, config_max_files);
}

/* The row that a wait for storage is added to: index + 1, 0 if its place is not known. */
static __always_inline u32 sleep_place(const struct sleep *sleep, u32 owner)
{
	struct inode *inode = sleep->inode;
	u32 index, device = sleep->device;
	struct super_block *sb;

	if (ledger_wait_kind(sleep->state) < 0)
		return 0;
	sb = inode ? BPF_CORE_READ(inode, i_sb) : NULL;
	/* A device's own inode, behind that of its node, has no name. */
	if (sb && BPF_CORE_READ(sb, s_magic) == BDEVFS_MAGIC) {
		device = BPF_CORE_READ(inode, i_rdev);
		sb = NULL;
	}
	if (!sb)
		return device ? file_find_any(FILE_OF_DEVICE, device, device, owner) + 1 : 0;
	index = file_find(inode, owner, IO_READ);
	if (index == FILE_NONE) {
		index = file_find_any(FILE_OF_FILE_SYSTEM, BPF_CORE_READ(sb, s_dev),
				      device_of_file_system(sb), owner);
	}
	return index + 1;
}

#endif
