/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel structures that whystall's BPF programs read, and no others.
 *
 * Only the fields in use are listed. Their offsets are relocated when the programs are loaded
 * (CO-RE), so neither their order nor what stands between them matters. Flags and helper types that
 * are part of the kernel's user interface, and so never change, are below without relocation.
 */
#ifndef WHYSTALL_VMLINUX_H
#define WHYSTALL_VMLINUX_H

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef _Bool bool;
enum { false = 0, true = 1 };
#define NULL ((void *)0)

/* User interface: include/uapi/linux/bpf.h */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_QUEUE = 22,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};

enum bpf_func_id {
	BPF_FUNC_loop = 181,
};

enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };
enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1 << 10 };

/* include/linux/sched.h */
#define TASK_UNINTERRUPTIBLE 0x0002
#define __TASK_STOPPED 0x0004
#define __TASK_TRACED 0x0008
#define TASK_DEAD 0x0080
#define TASK_FROZEN 0x8000
#define JOBCTL_TRAP_FREEZE (1UL << 23)
#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010
#define PF_WQ_WORKER 0x00000020
#define PF_KTHREAD 0x00200000

/* include/uapi/linux/stat.h */
#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFCHR 0020000
#define S_IFDIR 0040000
#define S_IFBLK 0060000
#define S_IFREG 0100000
#define S_IFSOCK 0140000

/* include/uapi/asm-generic/poll.h */
struct pollfd {
	int fd;
	short events;
	short revents;
};

/* include/uapi/linux/io_uring.h */
enum io_uring_op {
	IORING_OP_READV = 1,
	IORING_OP_WRITEV = 2,
	IORING_OP_FSYNC = 3,
	IORING_OP_READ_FIXED = 4,
	IORING_OP_WRITE_FIXED = 5,
	IORING_OP_SYNC_FILE_RANGE = 8,
	IORING_OP_SENDMSG = 9,
	IORING_OP_RECVMSG = 10,
	IORING_OP_ACCEPT = 13,
	IORING_OP_CONNECT = 16,
	IORING_OP_FALLOCATE = 17,
	IORING_OP_READ = 22,
	IORING_OP_WRITE = 23,
	IORING_OP_SEND = 26,
	IORING_OP_RECV = 27,
	IORING_OP_SPLICE = 30,
};
#define IORING_ENTER_EXT_ARG (1U << 3)
#define IORING_ENTER_REGISTERED_RING (1U << 4)

/* include/linux/socket.h */
#define AF_INET 2
#define AF_INET6 10
#define AF_SMC 43

/* include/uapi/linux/magic.h */
#define BTRFS_SUPER_MAGIC 0x9123683E
#define BDEVFS_MAGIC 0x62646576
#define ANON_INODE_FS_MAGIC 0x09041934
#define PROC_SUPER_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define DEBUGFS_MAGIC 0x64626720
#define TRACEFS_MAGIC 0x74726163
#define CGROUP_SUPER_MAGIC 0x27e0eb
#define CGROUP2_SUPER_MAGIC 0x63677270

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct list_head {
	struct list_head *next, *prev;
};

struct rb_node {
	unsigned long __rb_parent_color;
	struct rb_node *rb_right;
	struct rb_node *rb_left;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct rb_root_cached {
	struct rb_root rb_root;
	struct rb_node *rb_leftmost;
};

/* Processes */

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[];
};

struct signal_struct {
	atomic_t live;
	int nr_threads;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	struct task_struct *owner;
};

/* The registers that a system call came with. */
struct pt_regs {
#if defined(__TARGET_ARCH_x86)
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long r10;
	unsigned long orig_ax;
	unsigned long sp;
#else
	u64 regs[31];
	u64 sp;
	u64 orig_x0;
	s32 syscallno;
#endif
};

struct thread_info {
	unsigned long flags;
#ifndef __TARGET_ARCH_x86
	u64 preempt_count;
#endif
	u32 status;
};

struct rq {
	int cpu;
};

struct cfs_rq {
	struct rq *rq;
};

struct sched_entity {
	struct cfs_rq *cfs_rq; /* its queue on the processor that it runs on */
	unsigned char sched_delayed;
	u64 sum_exec_runtime;
};

struct sched_info {
	unsigned long long run_delay;
	unsigned long long last_arrival;
};

struct blk_plug {
	u64 cur_ktime;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	unsigned int flags;
	int on_cpu;
	int on_rq;
	struct sched_entity se;
	struct sched_info sched_info;
	struct blk_plug *plug;
	struct bpf_local_storage *bpf_storage;
	unsigned int in_iowait : 1;
	unsigned long jobctl;
	unsigned int in_memstall : 1;
	unsigned long min_flt;
	unsigned long maj_flt;
	struct nameidata *nameidata;
	struct files_struct *files;
	struct io_uring_task *io_uring;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	u64 start_boottime;
	char comm[16];
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct css_set *cgroups;
	void *worker_private;
	int *set_child_tid;
};

/* Kernel threads */

struct workqueue_struct {
	char name[1]; /* 24 or 32 bytes, ended by NUL */
};

struct pool_workqueue {
	struct workqueue_struct *wq;
};

struct worker {
	struct pool_workqueue *current_pwq;
};

struct kthread {
	void *data;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

/* Control groups */

struct kernfs_elem_dir {
	struct rb_root children;
};

struct kernfs_node {
	const char *name;
	struct kernfs_elem_dir dir;
	u64 id;
};

struct kobject {
	struct kernfs_node *sd;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1]; /* as many as the kernel has controllers */
	struct cgroup *dfl_cgrp;
};

/* Memory: from a page to the file or the process behind it */

struct file_system_type {
	const char *name;
};

struct bdi_writeback {
	unsigned long dirty_sleep;
};

struct backing_dev_info {
	unsigned long last_bdp_sleep;
	struct bdi_writeback wb;
};

struct super_block {
	unsigned int s_dev;
	struct backing_dev_info *s_bdi;
	unsigned long s_magic;
	struct block_device *s_bdev;
	struct file_system_type *s_type;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
	unsigned int i_rdev;
	unsigned int i_generation;
	struct super_block *i_sb;
	struct address_space *i_mapping;
	struct hlist_head i_dentry;
	struct bdi_writeback *i_wb;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	union {
		struct hlist_node d_alias;
	} d_u;
};

struct address_space {
	struct inode *host;
};

struct page {
	unsigned long compound_head;
	struct address_space *mapping;
};

struct folio {
	struct address_space *mapping;
};

struct vm_area_struct {
	struct mm_struct *vm_mm;
	struct anon_vma *anon_vma;
};

struct anon_vma {
	struct rb_root_cached rb_root;
};

struct anon_vma_chain {
	struct vm_area_struct *vma;
	struct rb_node rb;
};

/* Open files, and what a thread may wait for through them */

struct path {
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

/* A path on its way to an inode. */
struct nameidata {
	struct path path;
};

struct in6_addr {
	__u32 words[4];
};

/* In the kernel the first three are parts of anonymous unions. */
struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_dport;
	unsigned short skc_family;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
};

struct socket {
	struct sock *sk;
};

struct eventpoll {
	struct rb_root_cached rbr;
};

struct epoll_filefd {
	struct file *file;
};

struct epitem {
	struct rb_node rbn;
	struct epoll_filefd ffd;
};

/* io_uring */

struct io_wq_work;

struct io_worker {
	struct io_wq_work *cur_work;
};

struct io_wq_work {
	int flags;
};

struct io_kiocb {
	struct file *file;
	u8 opcode;
	struct hlist_node hash_node;
	struct io_wq_work work;
};

struct io_hash_bucket {
	struct hlist_head list;
};

struct io_hash_table {
	struct io_hash_bucket *hbs;
	unsigned int hash_bits;
};

struct io_ring_ctx {
	struct io_hash_table cancel_table;
	struct io_hash_table cancel_table_locked;
	struct list_head timeout_list;
	struct hlist_head futex_list;
	struct hlist_head waitid_list;
	unsigned int cached_sq_head;
	unsigned int cached_cq_tail;
};

struct io_uring_task {
	struct file *registered_rings[16];
};

/* The block layer */

enum req_flag_bits {
	/* the values are taken from the running kernel */
	__REQ_PREFLUSH = 18,
	__REQ_SWAP = 25,
};

struct blkcg {
	struct cgroup_subsys_state css;
};

struct blkcg_gq {
	struct blkcg *blkcg;
};

struct gendisk {
	int major;
	int first_minor;
	char disk_name[32];
	int flags;
	struct request_queue *queue;
};

struct block_device {
	struct gendisk *bd_disk;
	unsigned int bd_dev;
	void *bd_holder;
	struct kobject *bd_holder_dir;
	struct super_block *bd_super;
};

struct bdev_inode {
	struct block_device bdev;
	struct inode vfs_inode;
};

struct bvec_iter {
	u64 bi_sector;
	unsigned int bi_size;
	unsigned int bi_idx;
};

struct bio_vec {
	struct page *bv_page;
};

struct bio {
	struct bio *bi_next;
	struct block_device *bi_bdev;
	unsigned int bi_opf;
	unsigned short bi_flags;
	struct bvec_iter bi_iter;
	struct blkcg_gq *bi_blkg;
	struct bio_vec *bi_io_vec;
	void *bi_private;
	unsigned char bi_status;
};

/* Of the modules dm-mod and dm-crypt */
struct dm_io {
	struct bio *orig_bio;
};

struct dm_target_io {
	struct dm_io *io;
	struct bio clone;
};

struct dm_crypt_io {
	struct bio *base_bio;
};

struct blk_mq_hw_ctx {
	unsigned int queue_num;
};

struct blk_mq_ops;

struct request_queue {
	const struct blk_mq_ops *mq_ops;
	struct gendisk *disk;
};

enum rqf_flags {
	__RQF_IO_STAT = 8,
};

struct request {
	struct request_queue *q;
	struct blk_mq_hw_ctx *mq_hctx;
	unsigned int cmd_flags;
	unsigned int rq_flags;
	u64 start_time_ns;
	int tag;
	int internal_tag;
	unsigned int __data_len;
	u64 __sector;
	struct bio *bio;
};

#pragma clang attribute pop

#endif
