// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Who is behind a bio that a kernel thread submits on somebody's behalf. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "deferred.bpf.h"
#include "pages.bpf.h"

/*
 * Private memory of a user: the process that touched the page first. Its area is in the tree of the
 * page's anon_vma, beside those of children forked since; only the own area points back to it. One
 * side of the tree is searched at a time: it holds a single area unless the process has forked.
 */
struct area_walk {
	struct rb_node *node, *right;
	struct anon_vma *anon_vma;
	struct mm_struct *mm;
};

static long step_area(u32 index, struct area_walk *walk)
{
	struct anon_vma *anon_vma = walk->anon_vma;
	struct rb_node *node = walk->node;
	struct vm_area_struct *vma;
	struct anon_vma_chain *avc;

	if (!node) {
		node = walk->right;
		walk->right = NULL;
		if (!node)
			return 1;
	}
	avc = (void *)node - bpf_core_field_offset(struct anon_vma_chain, rb);
	vma = BPF_CORE_READ(avc, vma);
	if (BPF_CORE_READ(vma, anon_vma) == anon_vma) {
		walk->mm = BPF_CORE_READ(vma, vm_mm);
		return 1;
	}
	walk->node = BPF_CORE_READ(node, rb_left);
	return 0;
}

static __always_inline struct mm_struct *anon_page_mm(struct anon_vma *anon_vma)
{
	struct rb_node *node = BPF_CORE_READ(anon_vma, rb_root.rb_root.rb_node);
	struct area_walk walk = { .node = node, .anon_vma = anon_vma };

	walk.right = BPF_CORE_READ(node, rb_right);
	REPEAT(24, step_area, &walk);
	return walk.mm;
}

/* The row `[cgroup NAME]`; unknown for the root, which says nothing. */
static __always_inline u32 owner_of_cgroup(struct bio *bio)
{
	struct cgroup *cgroup = bio_cgroup(bio);
	struct owner *o;
	u32 *found, index;
	u64 id;

	if (!cgroup || BPF_CORE_READ(cgroup, level) == 0)
		return OWNER_UNKNOWN;
	id = BPF_CORE_READ(cgroup, kn, id);
	found = bpf_map_lookup_elem(&owner_by_cgroup, &id);
	if (found)
		return *found;
	o = owner_take(&index, OWNER_CGROUP);
	if (!o)
		return OWNER_UNKNOWN;
	o->cgroup_id = id;
	bpf_probe_read_kernel_str(o->cmdline, sizeof(o->cmdline), BPF_CORE_READ(cgroup, kn, name));
	if (bpf_map_update_elem(&owner_by_cgroup, &id, &index, BPF_NOEXIST)) {
		owner_give_back(index, o);
		found = bpf_map_lookup_elem(&owner_by_cgroup, &id);
		return found ? *found : OWNER_UNKNOWN;
	}
	return index;
}

/* The owner noted for an inode in one of the maps filled by owner.bpf.c. */
static __always_inline u32 owner_noted(void *map, struct inode *inode)
{
	u64 address = (u64)inode;
	struct inode_user *user = bpf_map_lookup_elem(map, &address);
	struct owner *o;

	if (!user)
		return OWNER_UNKNOWN;
	if (user->owner < OWNER_FIRST)
		return user->owner;
	o = owner_get(user->owner);
	/* A process whose place was given to another one since: of the job, but without a row. */
	return o && o->start_boot_ns == user->start_boot_ns ? user->owner : OWNER_FOLDED;
}

/* The tree of trees of btrfs: one inode for all its nodes, whose mode is whatever was there before. */
static __always_inline bool is_btrfs_tree(struct inode *inode, struct super_block *sb)
{
	return BPF_CORE_READ(inode, i_ino) == 1 && BPF_CORE_READ(sb, s_magic) == BTRFS_SUPER_MAGIC;
}

static __always_inline struct block_device *bdev_of(struct inode *inode)
{
	struct bdev_inode *both =
		(void *)inode - bpf_core_field_offset(struct bdev_inode, vfs_inode);

	return &both->bdev;
}

/*
 * The owner of a page of a file or device. A file system's own data are its own: in the pages of the
 * device that it is mounted from, or of an inode that is none of its files. btrfs writes its superblock
 * through a device that it holds, without marking the page dirty.
 */
static __always_inline void owner_of_page(struct inode *inode, struct io_key *key)
{
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	u32 type = BPF_CORE_READ(inode, i_mode) & S_IFMT;
	struct block_device *bdev = NULL;
	struct owner *o;

	if (type == S_IFBLK) {
		bdev = bdev_of(inode);
		sb = mounted_on(bdev);
	} else if (type == S_IFREG && !is_btrfs_tree(inode, sb)) {
		sb = NULL;
	}
	if (sb) {
		key->owner = owner_of_file_system(sb);
		return;
	}
	if (key->op == IO_READ) {
		key->owner = owner_noted(&inode_readers, inode);
		return;
	}
	key->owner = owner_noted(&inode_writers, inode);
	if (key->owner == OWNER_UNKNOWN && bdev && BPF_CORE_READ(bdev, bd_holder))
		return;
	key->cause = CAUSE_WRITEBACK;
	o = owner_get(key->owner);
	/* Written to the file of a loop device: counted there. */
	if (o && o->kind == OWNER_KERNEL && is_loop_worker(o->cmdline))
		key->lower = true;
}

/* The row of a bio that upper.bpf.c has met, or of the larger one that the block layer split it off. */
static __always_inline struct io_row *row_of_upper(struct bio *bio)
{
	struct upper_bio *upper = NULL;

	for (int i = 0; i < 2 && !upper; i++) {
		u64 address = (u64)bio;

		upper = bpf_map_lookup_elem(&upper_bios, &address);
		bio = BPF_CORE_READ(bio, bi_private); /* bio_chain() */
	}
	return upper ? bpf_map_lookup_elem(&rows, &upper->row) : NULL;
}

/* Through dm-crypt's io, whose `base_bio` is the clone that device mapper made. */
static __always_inline struct io_row *row_above_crypt(struct dm_crypt_io *crypt)
{
	struct bio *clone = BPF_CORE_READ(crypt, base_bio);
	struct dm_target_io *target =
		(void *)clone - bpf_core_field_offset(struct dm_target_io, clone);

	return row_of_upper(BPF_CORE_READ(target, io, orig_bio));
}

/*
 * dm-crypt writes from pages of its own: its bio, or the one that this was split off, leads to the bio that
 * it encrypts. What looks like that and is not leads to none in the table.
 */
static __noinline bool owner_above(struct bio *bio, struct io_key *key)
{
	struct io_row *row = NULL;

	if (!upper_bios_now || !bpf_core_type_exists(struct dm_crypt_io) ||
	    !bpf_core_type_exists(struct dm_target_io))
		return false;
	for (int i = 0; i < 2 && !row; i++) {
		bio = BPF_CORE_READ(bio, bi_private);
		row = row_above_crypt((struct dm_crypt_io *)bio);
	}
	if (!row)
		return false;
	key->owner = row->key.owner;
	key->cause = row->key.cause;
	return true;
}

/*
 * The owner of a bio that a kernel thread submits. Nobody waits in its context: the bio's first page
 * leads to who caused it:
 *   - memory of a process: direct I/O of that process;
 *   - a page of a file, on a write: writeback, for who last wrote to that file;
 *   - a page of a file, on a read: who last added pages to that file's cache. The common case is a bio
 *     held back by blk-throttle or io.max, which a kworker submits later (48 MB of a throttled read:
 *     43 MB came from a kworker);
 *   - a page of a file system's own data: nobody but that file system.
 * Otherwise it is who waits at the device above, the bio's cgroup, or what the kernel thread is for.
 */
__noinline int owner_behind(u64 bio_address, struct io_key *key)
{
	struct bio *bio = (void *)bio_address;
	struct task_struct *t = bpf_get_current_task_btf();
	unsigned long mapping = 0;
	struct kernel_name thread;
	struct inode *inode;

	if (!key)
		return 0;
	key->owner = OWNER_UNKNOWN;
	if (is_swap(BPF_CORE_READ(bio, bi_opf))) {
		key->owner = owner_of_swap();
		return 0;
	}
	kernel_thread_name(t, &thread);
	if (is_loop_worker(thread.text))
		key->lower = true;
	if (key->op == IO_READ || key->op == IO_WRITE)
		mapping = page_mapping_bits(bio_first_page(bio));
	if ((mapping & 3) == 1) {
		struct mm_struct *mm = anon_page_mm((struct anon_vma *)(mapping - 1));
		struct task_struct *leader = mm_leader(mm);

		if (leader)
			key->owner = owner_of_process((u64)leader);
	} else if ((inode = inode_of_mapping(mapping))) {
		owner_of_page(inode, key);
	} else if (owner_above(bio, key)) {
		return 0;
	}
	if (key->owner == OWNER_UNKNOWN)
		key->owner = owner_of_cgroup(bio);
	if (key->owner != OWNER_UNKNOWN)
		return 0;
	if (key->cause == CAUSE_WRITEBACK)
		__sync_fetch_and_add(&loss.dirtiers_unknown, 1);
	else if (!is_throttle(thread.text))
		key->owner = owner_of_name(&thread);
	return 0;
}
