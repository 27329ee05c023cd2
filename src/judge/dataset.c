// SPDX-License-Identifier: BSD-2-Clause
#include "judge/dataset.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "judge/where.h"

static const double most_of_place = 0.8; /* of the waits */
static const double least_part_pct = 30; /* of the blame, as for advice */
static const double room_kept = 0.1;     /* of the memory, for what the job may still need */
static const double least_again = 0.05;  /* of what was read, to be more than a chance */
static const double hardly_any = 0.1;    /* of these bytes, of the data through the cache */
static const double most_direct = 0.5;   /* of the bytes read, outside the page cache */

enum { KIND_READ, KIND_FAULT = LEDGER_STORAGE_FAULT - LEDGER_STORAGE_READ };

/* Of one file, by all processes. */
struct part {
	const char *path;
	double wait_ns; /* of those that the verdict blames */
	uint64_t read_bytes;
};

struct parts {
	struct part *list;
	size_t count;
	double wait_ns;
};

bool dataset_matters(const struct verdict *verdict)
{
	return verdict->class == CLASS_STORAGE ||
	       (verdict->class == CLASS_MIXED &&
		verdict->blame_pct[CLASS_STORAGE] >= least_part_pct);
}

static bool begins(const char *path, const char *with)
{
	return strncmp(path, with, strlen(with)) == 0;
}

static bool ends(const char *path, const char *with)
{
	size_t len = strlen(path), tail = strlen(with);

	return len >= tail && strcmp(path + len - tail, with) == 0;
}

/* No program, and a path that is known as a whole: not "(vda)", ".../x", or "/data/...". */
static bool could_be_data(const char *path)
{
	static const char *const systems[] = { "/usr/", "/lib",   "/bin/", "/sbin/",
					       "/etc/", "/proc/", "/sys/" };

	if (path[0] != '/' || ends(path, "/...") || strlen(path) >= DATASET_PATH_LEN)
		return false;
	for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++)
		if (begins(path, systems[i]))
			return false;
	return !strstr(path, "/site-packages/") && !strstr(path, "/dist-packages/") &&
	       !strstr(path, ".so.") && !ends(path, ".so") && !ends(path, ".py") &&
	       !ends(path, ".pyc");
}

static int by_path(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static void merge(struct parts *parts)
{
	size_t kept = 0;

	qsort(parts->list, parts->count, sizeof(*parts->list), by_path);
	for (size_t i = 0; i < parts->count; i++) {
		const struct part *part = &parts->list[i];

		parts->wait_ns += part->wait_ns;
		if (kept && by_path(&parts->list[kept - 1], part) == 0) {
			parts->list[kept - 1].wait_ns += part->wait_ns;
			parts->list[kept - 1].read_bytes += part->read_bytes;
		} else {
			parts->list[kept++] = *part;
		}
	}
	parts->count = kept;
}

/* All files that were read, in the order of their paths. Returns 0 or -ENOMEM. */
static int list_parts(struct parts *parts, const struct verdict *v, const struct report *report)
{
	size_t most = 0;

	*parts = (struct parts){ 0 };
	for (size_t i = 0; i < report->process_count; i++)
		most += report->processes[i].file_count;
	parts->list = calloc(most + 1, sizeof(*parts->list));
	if (!parts->list)
		return -ENOMEM;
	for (size_t i = 0; i < report->process_count; i++) {
		const struct process_report *p = &report->processes[i];
		bool blamed = where_is_blamed(v, p);

		for (size_t k = 0; k < p->file_count; k++) {
			const struct file_report *file = &p->files[k];
			uint64_t ns = file->kind_ns[KIND_READ] + file->kind_ns[KIND_FAULT];

			if ((ns || file->read_bytes) && could_be_data(file->path))
				parts->list[parts->count++] =
					(struct part){ .path = file->path,
						       .wait_ns = blamed ? (double)ns : 0,
						       .read_bytes = file->read_bytes };
		}
	}
	merge(parts);
	return 0;
}

/* A place with more than half of the waits has the file in which half of them, in the order of paths, are reached. */
static const struct part *middle_of(const struct parts *parts)
{
	double sum = 0;

	for (size_t i = 0; i < parts->count; i++) {
		sum += parts->list[i].wait_ns;
		if (sum > parts->wait_ns / 2)
			return &parts->list[i];
	}
	return NULL;
}

static double waits_in(const struct parts *parts, const struct dataset_place *place)
{
	double sum = 0;

	for (size_t i = 0; i < parts->count; i++)
		if (dataset_has(place, parts->list[i].path))
			sum += parts->list[i].wait_ns;
	return sum;
}

static bool has_most(const struct parts *parts, const struct dataset_place *place)
{
	return waits_in(parts, place) >= most_of_place * parts->wait_ns;
}

bool dataset_has(const struct dataset_place *place, const char *path)
{
	const size_t len = strlen(place->path);

	if (place->shape == DATASET_FILE)
		return strcmp(path, place->path) == 0;
	if (strncmp(path, place->path, len) != 0 || path[len] != '/')
		return false;
	return place->shape == DATASET_TREE ||
	       (!strchr(path + len + 1, '/') && strcmp(dataset_ending(path), place->ending) == 0);
}

/* One of several shards, say. */
static bool is_numbered(const char *path)
{
	for (const char *at = strrchr(path, '/'); at && *at; at++)
		if (isdigit((unsigned char)*at))
			return true;
	return false;
}

/* Upwards from a file, until most waits are in there; never up to the root. */
static bool choose_place(struct dataset_place *place, const struct parts *parts, const char *path)
{
	char *slash;

	*place = (struct dataset_place){ .shape = DATASET_FILE };
	text_copy(place->path, sizeof(place->path), path);
	if (!is_numbered(path) && has_most(parts, place))
		return true;
	place->shape = DATASET_FOLDER;
	text_copy(place->ending, sizeof(place->ending), dataset_ending(path));
	while ((slash = strrchr(place->path, '/')) && slash != place->path) {
		*slash = '\0';
		if (has_most(parts, place))
			return true;
		if (place->shape == DATASET_FOLDER) {
			place->shape = DATASET_TREE;
			place->ending[0] = '\0';
			if (has_most(parts, place))
				return true;
		}
	}
	return false;
}

int dataset_find(struct dataset_place *place, struct dataset_file **files, size_t *count,
		 const struct verdict *verdict, const struct report *report)
{
	const struct part *middle;
	struct parts parts;
	int found = list_parts(&parts, verdict, report);

	*files = NULL;
	*count = 0;
	if (found)
		return found;
	middle = middle_of(&parts);
	found = middle && choose_place(place, &parts, middle->path);
	if (found)
		*files = calloc(parts.count + 1, sizeof(**files));
	if (found && !*files)
		found = -ENOMEM;
	for (size_t i = 0; found > 0 && i < parts.count; i++)
		if (dataset_has(place, parts.list[i].path))
			(*files)[(*count)++] =
				(struct dataset_file){ .path = parts.list[i].path,
						       .read_bytes = parts.list[i].read_bytes };
	free(parts.list);
	return found;
}

/* What those that make input read from devices, in all and through the page cache. */
static void read_by_producers(double *all, double *cached, const struct verdict *v,
			      const struct report *report)
{
	*all = *cached = 0;
	for (size_t i = 0; i < report->process_count; i++) {
		const struct process_report *p = &report->processes[i];

		if (!where_is_blamed(v, p))
			continue;
		for (size_t k = 0; k < p->io_count; k++)
			if (p->io[k].key.op == IO_READ && !p->io[k].key.lower)
				*all += (double)p->io[k].bytes;
		for (size_t k = 0; k < p->file_count; k++)
			*cached += (double)p->files[k].read_bytes;
	}
}

/* Which files have which bytes is not known where some found no row. */
static bool is_read_known(const struct dataset_judged *j, const struct report *report)
{
	return j->dataset->counted && j->dataset->count.read_bytes && !report->loss.files_dropped;
}

static enum dataset_cache cache_of(const struct dataset_judged *j, const struct verdict *v,
				   const struct report *report)
{
	const struct dataset_count *count = &j->dataset->count;
	const struct process_report *trainer = report_find_process(report, v->pid);
	double all, cached;

	/* These were read twice even if other files' bytes are not known. */
	if (j->dataset->counted && count->again_bytes &&
	    (double)count->again_bytes >= least_again * (double)count->read_bytes)
		return CACHE_DROPPED;
	read_by_producers(&all, &cached, v, report);
	/* Beside a file's bytes there are the file system's own; of very small files these are many. */
	if (!report->loss.files_dropped && all - cached > most_direct * all &&
	    (double)(count->read_bytes + count->again_bytes) < hardly_any * all)
		return CACHE_BYPASSED;
	/* Those files that have a row are enough to see it. */
	if (count->read_bytes && (report->started || (trainer && trainer->start_s >= 0)))
		return CACHE_FILLING;
	return CACHE_UNKNOWN;
}

static bool fits_into(const struct dataset_count *count, uint64_t bytes)
{
	return (double)count->bytes <= (1 - room_kept) * (double)bytes;
}

static void judge_fit(struct dataset_judged *j)
{
	const struct dataset_count *count = &j->dataset->count;

	if (!j->dataset->counted || !j->memory)
		return;
	j->fits = fits_into(count, j->memory->bytes);
	/* It has at least so much: more than fits is enough to know. */
	j->fits_known = count->complete || !j->fits;
	j->fits = j->fits && j->fits_known;
	j->fits_host = count->complete && fits_into(count, j->memory->host_bytes);
}

void dataset_judge(struct dataset_judged *judged, const struct verdict *verdict,
		   const struct report *report)
{
	const struct dataset_count *count;
	const struct limits *limits;

	*judged = (struct dataset_judged){ 0 };
	for (size_t i = 0; i < report->dataset_count; i++)
		if (report->datasets[i].pid == verdict->pid)
			judged->dataset = &report->datasets[i];
	if (!judged->dataset)
		return;
	limits = report_find_limits(report, verdict->pid);
	if (limits && limits->memory.known)
		judged->memory = &limits->memory;
	count = &judged->dataset->count;
	judged->read_known = is_read_known(judged, report);
	if (judged->read_known && count->complete && count->bytes)
		judged->epochs_seen =
			(double)(count->read_bytes + count->again_bytes) / (double)count->bytes;
	judged->cache = cache_of(judged, verdict, report);
	judge_fit(judged);
}

double dataset_epochs_to_pay(const struct dataset_judged *judged, double speedup)
{
	if (!judged->dataset || !judged->fits)
		return 0;
	if (judged->cache == CACHE_FILLING || judged->cache == CACHE_BYPASSED)
		return 1;
	return speedup > 1 ? 1 / (1 - 1 / speedup) : 0;
}
