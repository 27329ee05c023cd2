// SPDX-License-Identifier: BSD-2-Clause
#include "collect/bpf_files.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "collect/bpf_threads.h"
#include "whystall.skel.h"

enum { MAX_NAMES = 64, INSIDE_LEN = 1024, PATH_LEN = 4096 };

static void copy_file(struct file_sample *to, const struct file_row *from)
{
	*to = (struct file_sample){ .owner = from->owner,
				    .owner_start_boot_ns = from->owner_start_boot_ns,
				    .read_bytes = from->read_bytes,
				    .write_bytes = from->write_bytes,
				    .file_system = from->file_system,
				    .device = from->device };
	for (int i = 0; i < WAIT_KINDS; i++)
		to->wait_ns[i] = from->wait_ns[i];
}

/* The file that a thread of the sample waits for; NULL if it does not, or the file is not known. */
static struct file_sample *file_waited_for(const struct sample *sample, const struct thread *thread,
					   int *kind)
{
	*kind = ledger_wait_kind((uint32_t)thread->word & LEDGER_STATE_MASK);
	if (thread->life != THREAD_ALIVE || *kind < 0 || !thread->place ||
	    thread->place > sample->file_count)
		return NULL;
	return &sample->files[thread->place - 1];
}

/* A wait that still goes on is not in its file's row yet; one that has ended meanwhile is by now. */
static void add_open_waits(const struct bpf_maps *maps, const struct sample *sample)
{
	struct file_sample *file;
	int kind;

	for (size_t i = 0; i < sample->thread_count; i++) {
		file = file_waited_for(sample, &sample->threads[i], &kind);
		if (file && __atomic_load_n(&maps->threads[i].word, __ATOMIC_ACQUIRE) !=
				    sample->threads[i].word)
			copy_file(file, &maps->files[file - sample->files]);
	}
	for (size_t i = 0; i < sample->thread_count; i++) {
		file = file_waited_for(sample, &sample->threads[i], &kind);
		if (file && __atomic_load_n(&maps->threads[i].word, __ATOMIC_ACQUIRE) ==
				    sample->threads[i].word)
			file->wait_ns[kind] += bpf_threads_open_ns(sample, &sample->threads[i]);
	}
}

int bpf_files_read(struct bpf_maps *maps, struct sample *sample)
{
	uint32_t end = bpf_maps_used(&maps->tables[TABLE_FILES], &maps->skel->bss->files_used);

	for (uint32_t i = 0; i < end; i++) {
		struct file_sample *file = sample_add_file(sample);

		if (!file)
			return -ENOMEM;
		copy_file(file, &maps->files[i]);
	}
	add_open_waits(maps, sample);
	return maps->tables[TABLE_FILES].err;
}

/* "/data/train/0001.jpg" of the names "0001.jpg", "train", "data"; ".../" where they do not reach up. */
static void join_names(struct bpf_maps *maps, const struct file_row *row, char *out, size_t size)
{
	const char *text = maps->file_names + row->names, *names[MAX_NAMES];
	size_t count = 0, used = 0;
	uint32_t at = 0, len = row->names_len;

	if (table_reach(&maps->tables[TABLE_FILE_NAMES], row->names, row->names + len) !=
	    row->names + len)
		return;
	while (at < len && count < MAX_NAMES) {
		names[count++] = text + at;
		at += (uint32_t)strnlen(text + at, len - at) + 1;
	}
	if (!row->whole)
		used = (size_t)snprintf(out, size, "/...");
	while (count-- > 0 && used < size) {
		int room = (int)(text + len - names[count]);

		used += (size_t)snprintf(out + used, size - used, "/%.*s", room, names[count]);
	}
}

/* A file system that is mounted nowhere any more is named by its device. */
static void name_by_device(const struct sample *sample, const struct file_row *row,
			   const char *inside, char *out, size_t size)
{
	const struct disk_sample *disk = sample_find_disk(sample, row->file_system, 0);

	if (disk)
		snprintf(out, size, "(%s)%s", disk->name, inside);
	else
		snprintf(out, size, "(%u:%u)%s", device_major(row->file_system),
			 device_minor(row->file_system), inside);
}

/* Fill in the path and the mount of a file; a path without its beginning cannot be put below a mount. */
static int name_file(struct bpf_maps *maps, struct sample *sample, struct file_sample *file,
		     const struct file_row *row)
{
	const struct owner_note *note = &maps->notes[row->owner];
	bool same = note->start_boot_ns == row->owner_start_boot_ns;
	char inside[INSIDE_LEN] = "", path[PATH_LEN];

	if (row->kind == FILE_ITSELF)
		join_names(maps, row, inside, sizeof(inside));
	else if (row->kind == FILE_OF_FILE_SYSTEM)
		text_copy(inside, sizeof(inside), "/...");
	if (row->kind != FILE_OF_DEVICE && (row->whole || row->kind == FILE_OF_FILE_SYSTEM))
		file->mount = mounts_path(&maps->mounts, row->file_system, inside,
					  maps->own_mount_namespace,
					  same ? note->mount_namespace : 0, path, sizeof(path));
	if (!file->mount && row->kind == FILE_ITSELF && !row->whole)
		text_copy(path, sizeof(path), inside + 1);
	else if (!file->mount)
		name_by_device(sample, row, inside, path, sizeof(path));
	file->path = strdup(path);
	return file->path ? 0 : -ENOMEM;
}

int bpf_files_name(struct bpf_maps *maps, struct sample *sample)
{
	for (size_t i = 0; i < sample->file_count; i++) {
		const struct file_row *row = &maps->files[i];

		/* The root of a file system has no name, and needs none. */
		if (row->kind == FILE_ITSELF && !row->names_len && !row->whole)
			continue;
		if (name_file(maps, sample, &sample->files[i], row) != 0)
			return -ENOMEM;
	}
	return 0;
}
