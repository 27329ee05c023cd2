/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The files of an owner: what it moves and waits for. */
#ifndef WHYSTALL_FILES_BPF_H
#define WHYSTALL_FILES_BPF_H

#include "concurrency.bpf.h"
#include "owner.bpf.h"

/* No row, see file_find(). */
enum { FILE_NONE = 0xffffffffu };

/* The row of a file (address of its inode) and an owner, made if it is the first time; FILE_NONE when there is no room. */
u32 file_find(u64 inode, u32 owner, u32 op);

/* The row of all files of a file system that have none of their own, or of a device. */
u32 file_find_any(u32 kind, u32 file_system, u32 device, u32 owner);

/* The device that a file system is on; its own number where that is none's. */
static __always_inline u32 device_of_file_system(struct super_block *sb)
{
	struct block_device *bdev = BPF_CORE_READ(sb, s_bdev);

	return bdev ? BPF_CORE_READ(bdev, bd_dev) : BPF_CORE_READ(sb, s_dev);
}

#endif
