// SPDX-License-Identifier: BSD-2-Clause
#include "collect/sample.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"

void sample_set_time(struct sample *sample)
{
	sample->mono_ns = time_now_ns(CLOCK_MONOTONIC);
	sample->boot_ns = time_now_ns(CLOCK_BOOTTIME);
	clock_gettime(CLOCK_REALTIME, &sample->wall);
}

/* Room for one more element of `size` bytes; the array at least doubles, so that it settles. */
static void *array_add(void **array, size_t *count, size_t *capacity, size_t size)
{
	if (*count == *capacity) {
		size_t larger = *capacity ? 2 * *capacity : 16;
		void *moved = reallocarray(*array, larger, size);

		if (!moved)
			return NULL;
		*array = moved;
		*capacity = larger;
	}
	return (char *)*array + (*count)++ * size;
}

struct io_row *sample_add_row(struct sample *sample)
{
	return array_add((void **)&sample->rows, &sample->row_count, &sample->row_capacity,
			 sizeof(*sample->rows));
}

struct owner_sample *sample_add_owner(struct sample *sample)
{
	return array_add((void **)&sample->owners, &sample->owner_count, &sample->owner_capacity,
			 sizeof(*sample->owners));
}

struct disk_sample *sample_add_disk(struct sample *sample)
{
	return array_add((void **)&sample->disks, &sample->disk_count, &sample->disk_capacity,
			 sizeof(*sample->disks));
}

struct file_sample *sample_add_file(struct sample *sample)
{
	return array_add((void **)&sample->files, &sample->file_count, &sample->file_capacity,
			 sizeof(*sample->files));
}

struct thread *sample_add_thread(struct sample *sample)
{
	return array_add((void **)&sample->threads, &sample->thread_count, &sample->thread_capacity,
			 sizeof(*sample->threads));
}

struct concurrency *sample_add_concurrency(struct sample *sample)
{
	return array_add((void **)&sample->concurrency, &sample->concurrency_count,
			 &sample->concurrency_capacity, sizeof(*sample->concurrency));
}

struct edge_sample *sample_add_edge(struct sample *sample)
{
	return array_add((void **)&sample->edges, &sample->edge_count, &sample->edge_capacity,
			 sizeof(*sample->edges));
}

void sample_clear(struct sample *sample)
{
	for (size_t i = 0; i < sample->file_count; i++)
		free(sample->files[i].path);
	sample->file_count = 0;
	sample->row_count = 0;
	sample->owner_count = 0;
	if (sample->disks_before < sample->disk_count)
		sample->disks_before = sample->disk_count;
	sample->disk_count = 0;
	sample->thread_count = 0;
	sample->concurrency_count = 0;
	sample->edge_count = 0;
	memset(&sample->loss, 0, sizeof(sample->loss));
	memset(sample->pressure, 0, sizeof(sample->pressure));
}

void sample_free(struct sample *sample)
{
	sample_clear(sample);
	free(sample->files);
	free(sample->rows);
	free(sample->owners);
	free(sample->disks);
	free(sample->threads);
	free(sample->concurrency);
	free(sample->edges);
	memset(sample, 0, sizeof(*sample));
}

const struct disk_sample *sample_find_disk(const struct sample *sample, uint32_t device,
					   size_t hint)
{
	if (hint < sample->disk_count && sample->disks[hint].device == device)
		return &sample->disks[hint];
	for (size_t i = 0; i < sample->disk_count; i++)
		if (sample->disks[i].device == device)
			return &sample->disks[i];
	return NULL;
}

void io_row_add(struct io_row *sum, const struct io_row *row)
{
	sum->requests += row->requests;
	sum->bytes += row->bytes;
	sum->errors += row->errors;
	sum->unissued += row->unissued;
	sum->queue_ns += row->queue_ns;
	sum->device_ns += row->device_ns;
	if (row->queue_max_ns > sum->queue_max_ns)
		sum->queue_max_ns = row->queue_max_ns;
	if (row->device_max_ns > sum->device_max_ns)
		sum->device_max_ns = row->device_max_ns;
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		sum->queue[i] += row->queue[i];
		sum->device[i] += row->device[i];
	}
}
