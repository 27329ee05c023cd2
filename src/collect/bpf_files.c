// SPDX-License-Identifier: BSD-2-Clause
#include "collect/bpf_files.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "whystall.skel.h"

enum { MAX_NAMES = 64, INSIDE_LEN = 1024, PATH_LEN = 4096 };

int bpf_files_read(const struct bpf_maps *maps, struct sample *sample)
{
	uint32_t limit = bpf_map__max_entries(maps->skel->maps.files);
	uint32_t end = __atomic_load_n(&maps->skel->bss->files_used, __ATOMIC_ACQUIRE);

	if (end > limit)
		end = limit;
	for (uint32_t i = 0; i < end; i++) {
		const struct file_row *row = &maps->files[i];
		struct file_sample *file = sample_add_file(sample);

		if (!file)
			return -ENOMEM;
		*file = (struct file_sample){ .owner = row->owner,
					      .owner_start_boot_ns = row->owner_start_boot_ns,
					      .read_bytes = row->read_bytes,
					      .write_bytes = row->write_bytes };
	}
	return 0;
}

/* "/data/train/0001.jpg" of the names "0001.jpg", "train", "data"; ".../" where they do not reach up. */
static void join_names(const struct file_row *row, char *out, size_t size)
{
	const char *names[MAX_NAMES];
	size_t count = 0, used = 0;
	uint32_t at = 0;

	while (at < row->names_len && at < sizeof(row->names) && count < MAX_NAMES) {
		names[count++] = row->names + at;
		at += (uint32_t)strnlen(row->names + at, sizeof(row->names) - at) + 1;
	}
	if (!row->whole)
		used = (size_t)snprintf(out, size, "/...");
	while (count-- > 0 && used < size) {
		int room = (int)(row->names + sizeof(row->names) - names[count]);

		used += (size_t)snprintf(out + used, size - used, "/%.*s", room, names[count]);
	}
}

/* A file system that is mounted nowhere any more is named by its device. */
static void name_by_device(const struct sample *sample, const struct file_row *row,
			   const char *inside, char *out, size_t size)
{
	const struct disk_sample *disk = sample_find_disk(sample, row->file_system);

	if (disk)
		snprintf(out, size, "(%s)%s", disk->name, inside);
	else
		snprintf(out, size, "(%u:%u)%s", device_major(row->file_system),
			 device_minor(row->file_system), inside);
}

int bpf_files_name(const struct bpf_maps *maps, struct sample *sample)
{
	for (size_t i = 0; i < sample->file_count; i++) {
		const struct file_row *row = &maps->files[i];
		const struct owner_note *note = &maps->notes[row->owner];
		char inside[INSIDE_LEN], path[PATH_LEN];
		uint64_t mount_namespace = 0;

		if (!row->names_len)
			continue;
		if (note->start_boot_ns == row->owner_start_boot_ns)
			mount_namespace = note->mount_namespace;
		join_names(row, inside, sizeof(inside));
		/* A path without its beginning cannot be put below a mount. */
		if (!row->whole)
			text_copy(path, sizeof(path), inside + 1);
		else if (!mounts_path(&maps->mounts, row->file_system, inside,
				      maps->own_mount_namespace, mount_namespace, path,
				      sizeof(path)))
			name_by_device(sample, row, inside, path, sizeof(path));
		sample->files[i].path = strdup(path);
		if (!sample->files[i].path)
			return -ENOMEM;
	}
	return 0;
}
