/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What descriptors stand for, and what a thread waits for that waits for one or for any of several. */
#ifndef WHYSTALL_DESCRIPTORS_BPF_H
#define WHYSTALL_DESCRIPTORS_BPF_H

#include <bpf/bpf_endian.h>
#include "calls.bpf.h"
#include "compat.bpf.h"
#include "config.bpf.h"

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

__noinline u32 file_kind(u64 address)
{
	struct file *file = (void *)address;
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
	struct file *last;    /* that was looked at: where there is an INET socket it is that one */
};

static __always_inline bool poll_add(struct poll_walk *walk, struct file *file)
{
	if (file)
		walk->kinds |= file_kind((u64)file);
	walk->last = file;
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

/* Any of the descriptors that a walk has seen is waited for. */
static __always_inline int sleep_in_poll(const struct poll_walk *walk, struct sleep *sleep)
{
	if (walk->kinds & FD_INET)
		sleep->socket = walk->last;
	sleep->state = state_of_poll(walk->kinds);
	return 0;
}

/* `thread`: its address. */
__noinline int sleep_in_poll_call(u64 thread, const struct call *call, struct sleep *sleep)
{
	struct poll_walk walk = {};

	if (!call || !sleep)
		return 0;
	walk.list = call->argument[0];
	walk.count = call->argument[1];
	open_files_read((struct task_struct *)thread, &walk.open);
	REPEAT(MAX_POLLED, step_poll, &walk);
	return sleep_in_poll(&walk, sleep);
}

/* Words of all three sets, and the descriptors in one of them. */
struct select_walk {
	struct poll_walk poll;
	u64 sets[3]; /* in the thread's memory; 0: not given */
	u64 word;
	u32 base;
	u32 left; /* so many descriptors more are looked at */
};

__noinline u32 lowest_bit(u64 word)
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

__noinline int sleep_in_select_call(u64 thread, const struct call *call, struct sleep *sleep)
{
	struct select_walk walk = { .left = MAX_POLLED };

	if (!call || !sleep)
		return 0;
	walk.poll.count = call->argument[0];
	walk.sets[0] = call->argument[1];
	walk.sets[1] = call->argument[2];
	walk.sets[2] = call->argument[3];
	open_files_read((struct task_struct *)thread, &walk.poll.open);
	REPEAT(MAX_SELECTED_WORDS, step_select_word, &walk);
	return sleep_in_poll(&walk.poll, sleep);
}

/*
 * The next node (address) of a tree of up to 2^16 items, in their order; 0: none. Upwards it leaves subtrees that have been
 * walked through, of less than MAX_POLLED items: these are at most 12 nodes high.
 */
__noinline u64 next_node(u64 address)
{
	struct rb_node *node = (void *)address;
	struct rb_node *next = BPF_CORE_READ(node, rb_right);

	if (next) {
		for (int i = 0; i < 16; i++) {
			struct rb_node *left = BPF_CORE_READ(next, rb_left);

			if (!left)
				return (u64)next;
			next = left;
		}
		return 0;
	}
	for (int i = 0; i < 12; i++) {
		next = (void *)(BPF_CORE_READ(node, __rb_parent_color) & ~3UL);
		if (!next || BPF_CORE_READ(next, rb_right) != node)
			return (u64)next;
		node = next;
	}
	return 0;
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
	walk->node = (struct rb_node *)next_node((u64)node);
	return 0;
}

__noinline int sleep_in_epoll_call(u64 address, struct sleep *sleep)
{
	struct file *file = (void *)address;
	struct poll_walk walk = {};
	struct eventpoll *epoll;

	if (!file || !sleep)
		return 0;
	epoll = BPF_CORE_READ(file, private_data);
	walk.node = BPF_CORE_READ(epoll, rbr.rb_leftmost);
	REPEAT(MAX_POLLED, step_epoll, &walk);
	return sleep_in_poll(&walk, sleep);
}

#endif
