// SPDX-License-Identifier: BSD-2-Clause
#include "commands/datasets.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "judge/dataset.h"

static const uint64_t all_ns = 3ULL * NS_PER_S, least_ns = NS_PER_S / 10;

/* Ranks of one job read the same files. */
static const struct dataset *find_counted(const struct datasets *datasets,
					  const struct dataset_place *place)
{
	for (size_t i = 0; i < datasets->count; i++) {
		const struct dataset_place *other = &datasets->list[i].place;

		if (other->shape == place->shape && strcmp(other->path, place->path) == 0 &&
		    strcmp(other->ending, place->ending) == 0)
			return &datasets->list[i];
	}
	return NULL;
}

static void count_one(struct dataset *dataset, struct datasets *datasets,
		      const struct dataset_file *files, size_t file_count, uint64_t end_ns)
{
	const struct dataset *same = find_counted(datasets, &dataset->place);
	uint64_t now = time_now_ns(CLOCK_MONOTONIC);
	int err;

	if (same) {
		dataset->counted = same->counted;
		dataset->count = same->count;
		return;
	}
	if (now + least_ns > end_ns)
		return;
	err = dataset_count_apart(&dataset->count, &datasets->apart, &dataset->place, dataset->pid,
				  files, file_count, end_ns - now);
	dataset->counted = !err;
	if (err)
		log_debug("the data of process %d cannot be counted: %s", (int)dataset->pid,
			  strerror(-err));
}

int datasets_count(struct datasets *datasets, const struct verdicts *verdicts,
		   struct report *report)
{
	const uint64_t end_ns = time_now_ns(CLOCK_MONOTONIC) + all_ns;

	for (size_t i = 0; i < verdicts->count && datasets->count < MOST_DATASETS; i++) {
		const struct verdict *verdict = &verdicts->list[i];
		struct dataset dataset = { .pid = verdict->pid };
		struct dataset_file *files;
		size_t file_count;
		int found;

		if (!dataset_matters(verdict))
			continue;
		found = dataset_find(&dataset.place, &files, &file_count, verdict, report);
		if (found < 0)
			return found;
		if (!found)
			continue;
		count_one(&dataset, datasets, files, file_count, end_ns);
		free(files);
		datasets->list[datasets->count++] = dataset;
	}
	report->datasets = datasets->list;
	report->dataset_count = datasets->count;
	return 0;
}
