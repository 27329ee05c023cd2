// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The files of an owner: what it moves and waits for. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "files.bpf.h"

enum { MAX_PATH_DEPTH = 24 };

/* The last quarter is for written files: checkpoints must not find the table full of samples. */
static __always_inline u32 max_files(u32 op)
{
	return op == IO_READ ? config_max_files / 4 * 3 : config_max_files;
}

static __always_inline u64 max_names(u32 op)
{
	return op == IO_READ ? FILE_NAMES_BYTES / 4 * 3 : FILE_NAMES_BYTES;
}

struct names_walk {
	struct dentry *dentry;
	struct file_names *names;
	u64 start;
	u32 used;
	bool whole;
};

static long step_name(u32 index, struct names_walk *walk)
{
	struct dentry *dentry = walk->dentry;
	struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
	u64 start = walk->start;
	u32 used = walk->used;
	long len;

	if (!parent || parent == dentry) {
		walk->whole = parent != NULL;
		return 1;
	}
	if (used > FILE_NAMES_FULL || start > FILE_NAMES_BYTES - FILE_NAMES_LEN)
		return 1;
	len = bpf_probe_read_kernel_str(walk->names->text + start + used,
					FILE_NAMES_LEN - FILE_NAMES_FULL,
					BPF_CORE_READ(dentry, d_name.name));
	if (len < 0)
		return 1;
	walk->used = used + len;
	walk->dentry = parent;
	return 0;
}

/*
 * Copy an inode's name and the names above it. Room is taken for a path as long as may be, and what is left of it is given
 * back, unless another CPU has taken the next room meanwhile.
 */
__noinline int file_copy_names(struct file_row *file, u64 inode, u32 op)
{
	struct names_walk walk = { .dentry = dentry_of((struct inode *)inode) };
	u32 zero = 0;

	if (!file)
		return 0;
	walk.names = bpf_map_lookup_elem(&file_names, &zero);
	if (!walk.dentry || !walk.names || file_names_used + FILE_NAMES_LEN > max_names(op))
		return 0;
	walk.start = __sync_fetch_and_add(&file_names_used, FILE_NAMES_LEN);
	if (walk.start > FILE_NAMES_BYTES - FILE_NAMES_LEN)
		return 0;
	REPEAT(MAX_PATH_DEPTH, step_name, &walk);
	file->whole = walk.whole;
	file->names = walk.start;
	file->names_len = walk.used;
	__sync_val_compare_and_swap(&file_names_used, walk.start + FILE_NAMES_LEN,
				    walk.start + walk.used);
	return 0;
}

/* The row of a key, FILE_NONE if it has none yet; not that of an earlier owner in the same place. */
static __always_inline u32 file_row_find(const struct file_key *key)
{
	u32 *found = bpf_map_lookup_elem(&file_by_key, key);
	struct file_row *file = found ? bpf_map_lookup_elem(&files, found) : NULL;
	struct owner *o = owner_get(key->owner);

	return file && o && file->owner_start_boot_ns == o->start_boot_ns ? *found : FILE_NONE;
}

/* A new row for a key; `inode` names it, where it is a file. `op` IO_READ: the last quarter is not for it. */
static __noinline u32 file_row_new(const struct file_key *key, u32 device, struct inode *inode,
				   u32 op)
{
	struct file_row *file;
	struct owner *o;
	u32 index, found;

	if (files_used >= max_files(op) ||
	    (inode && file_names_used + FILE_NAMES_LEN > max_names(op)))
		return FILE_NONE;
	index = __sync_fetch_and_add(&files_used, 1);
	file = bpf_map_lookup_elem(&files, &index);
	if (!file)
		return FILE_NONE;
	o = owner_get(key->owner);
	if (o)
		file->owner_start_boot_ns = o->start_boot_ns;
	file->owner = key->owner;
	file->file_system = key->file_system;
	file->device = device;
	file->kind = key->kind;
	if (config_ledger && key->kind != FILE_OF_DEVICE)
		file->reads = concurrency_find(CONCURRENCY_FILE_SYSTEM, key->file_system);
	if (inode)
		file_copy_names(file, (u64)inode, op);
	/* When another CPU was faster this row stays behind, empty. */
	if (!bpf_map_update_elem(&file_by_key, key, &index, BPF_NOEXIST))
		return index;
	found = file_row_find(key);
	if (found == FILE_NONE && !bpf_map_update_elem(&file_by_key, key, &index, BPF_ANY))
		found = index;
	return found;
}

/* The row of a file and an owner, made if it is the first time; FILE_NONE when there is no room. */
__noinline u32 file_find(u64 inode_address, u32 owner, u32 op)
{
	struct inode *inode = (void *)inode_address;
	struct file_key key = { .owner = owner, .kind = FILE_ITSELF };
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	struct file_row *file;
	u32 index, device;

	key.inode_number = BPF_CORE_READ(inode, i_ino);
	key.generation = BPF_CORE_READ(inode, i_generation);
	key.file_system = BPF_CORE_READ(sb, s_dev);
	index = file_row_find(&key);
	if (index == FILE_NONE) {
		device = device_of_file_system(sb);
		if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFBLK)
			device = BPF_CORE_READ(inode, i_rdev);
		return file_row_new(&key, device, inode, op);
	}
	file = bpf_map_lookup_elem(&files, &index);
	/* It may have had no name in memory before. */
	if (file && !file->names_len)
		file_copy_names(file, (u64)inode, op);
	return index;
}

__noinline u32 file_find_any(u32 kind, u32 file_system, u32 device, u32 owner)
{
	struct file_key key = { .owner = owner, .kind = kind, .file_system = file_system };
	u32 index = file_row_find(&key);

	return index != FILE_NONE ? index : file_row_new(&key, device, NULL, IO_WRITE);
}
