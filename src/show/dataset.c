// SPDX-License-Identifier: BSD-2-Clause
#include "show/dataset.h"

#include <stdio.h>

#include "base/text.h"
#include "base/units.h"
#include "show/words.h"

enum {
	NAME_LEN = DATASET_PATH_LEN + DATASET_ENDING_LEN + 2,
	SHOWN_LEN = 256, /* of a path in a sentence, before it is escaped */
	PART_LEN = 256,
	BYTES_LEN = 32,
};

static const char *const cache_keys[CACHE_STATES] = {
	[CACHE_UNKNOWN] = "unknown",
	[CACHE_FILLING] = "filling",
	[CACHE_DROPPED] = "dropped",
	[CACHE_BYPASSED] = "bypassed",
};

/* "/data/train", or "/data/shards/" "*.tar". */
static const char *name_place(char name[NAME_LEN], const struct dataset_place *place)
{
	if (place->shape == DATASET_FOLDER)
		snprintf(name, NAME_LEN, "%s/*%s", place->path, place->ending);
	else
		text_copy(name, NAME_LEN, place->path);
	return name;
}

static void show_place(char *text, size_t size, const struct dataset_place *place)
{
	char name[NAME_LEN], cut[SHOWN_LEN];

	text_copy(cut, sizeof(cut), name_place(name, place));
	text_escape(text, size, cut, TEXT_PLAIN);
}

static void describe_fitting(char *line, const struct dataset_judged *j, const char *place,
			     const char *copying)
{
	switch (j->cache) {
	case CACHE_FILLING:
		snprintf(
			line, SENTENCE_LEN,
			"keep %s in memory: the page cache does so by itself, wait for the first epoch's end",
			place);
		break;
	case CACHE_DROPPED:
		snprintf(
			line, SENTENCE_LEN,
			"keep %s in memory: find out who drops its pages (a memory limit, POSIX_FADV_DONTNEED), or %s",
			place, copying);
		break;
	case CACHE_BYPASSED:
		snprintf(line, SENTENCE_LEN, "keep %s in memory: read it without O_DIRECT, or %s",
			 place, copying);
		break;
	default:
		snprintf(line, SENTENCE_LEN,
			 "keep %s in memory: if a second epoch waits for it too, %s", place,
			 copying);
	}
}

static void describe_what(char *line, const struct dataset_judged *j, const char *copying)
{
	char place[PART_LEN], group[PART_LEN];

	show_place(place, sizeof(place), &j->dataset->place);
	text_escape(group, sizeof(group), j->memory->group, TEXT_PLAIN);
	if (j->fits)
		describe_fitting(line, j, place, copying);
	else if (j->fits_host)
		snprintf(line, SENTENCE_LEN,
			 "raise the memory limit of %s: %s would fit into the memory of this host",
			 group, place);
	else
		snprintf(line, SENTENCE_LEN,
			 "move %s to faster storage: it does not fit into memory", place);
}

/* "3.2 GiB (1.1 GiB of it read so far)" */
static void describe_size(char part[PART_LEN], const struct dataset_judged *j)
{
	const struct dataset_count *count = &j->dataset->count;
	char all[BYTES_LEN], read[BYTES_LEN];

	bytes_format(all, sizeof(all), count->bytes);
	if (j->read_known)
		snprintf(part, PART_LEN, "%s%s (%s of it read so far)",
			 count->complete ? "" : "at least ", all,
			 bytes_format(read, sizeof(read), count->read_bytes));
	else
		snprintf(part, PART_LEN, "%s%s", count->complete ? "" : "at least ", all);
}

/* "; 1.0 GiB was read again: a copy pays after 1.3 epochs" */
static void describe_paying(char part[PART_LEN], const struct advice *advice)
{
	const struct dataset_judged *j = &advice->dataset;
	double epochs = dataset_epochs_to_pay(j, advice->speedup);
	char again[BYTES_LEN];
	size_t used = 0;

	part[0] = '\0';
	if (j->cache == CACHE_DROPPED)
		used = (size_t)snprintf(
			part, PART_LEN, ", but %s of it were read again",
			bytes_format(again, sizeof(again), j->dataset->count.again_bytes));
	if (j->cache == CACHE_BYPASSED)
		used = (size_t)snprintf(part, PART_LEN, ", but direct reads do not stay there");
	if (j->cache == CACHE_FILLING || j->cache == CACHE_BYPASSED)
		snprintf(part + used, PART_LEN - used, "; it pays from the second epoch on");
	else if (epochs > 0)
		snprintf(part + used, PART_LEN - used, "; a copy pays after %.1f epochs", epochs);
}

static void describe_because(char *line, const struct advice *advice)
{
	const struct dataset_judged *j = &advice->dataset;
	char size[PART_LEN], paying[PART_LEN], room[BYTES_LEN], group[PART_LEN];
	char limit[2 * PART_LEN] = "";

	describe_size(size, j);
	bytes_format(room, sizeof(room), j->memory->bytes);
	text_escape(group, sizeof(group), j->memory->group, TEXT_PLAIN);
	if (group[0])
		snprintf(limit, sizeof(limit), " (limit of %s)", group);
	if (j->fits) {
		describe_paying(paying, advice);
		snprintf(line, SENTENCE_LEN, "%s fit into the %s that are available%s%s", size,
			 room, limit, paying);
	} else {
		snprintf(line, SENTENCE_LEN,
			 "it does not fit: it has %s, and %s of memory are available%s", size, room,
			 limit);
	}
}

void dataset_describe(struct advice_words *words, const struct advice *advice, const char *copying)
{
	describe_what(words->what, &advice->dataset, copying);
	describe_because(words->because, advice);
}

static void add_memory(struct json_builder *b, json_t *row, const struct dataset_judged *j)
{
	const struct memory_room *memory = j->memory;

	json_add_known_count(b, row, metrics[M_MEMORY_AVAILABLE_BYTES].key, memory,
			     memory ? memory->bytes : 0);
	if (memory)
		json_add_text(b, row, metrics[M_MEMORY_LIMITED_BY].key,
			      memory->group[0] ? memory->group : "host");
	else
		json_add_null(b, row, metrics[M_MEMORY_LIMITED_BY].key);
	if (j->fits_known)
		json_add(b, row, metrics[M_FITS].key, json_boolean(j->fits));
	else
		json_add_null(b, row, metrics[M_FITS].key);
}

void show_dataset_json(struct json_builder *b, json_t *row, const struct verdict *verdict,
		       const struct report *report, const struct what_ifs *what_ifs)
{
	const struct what_if *storage = what_if_of(what_ifs, CHANGE_STORAGE);
	const struct dataset_count *count;
	struct dataset_judged j;
	char name[NAME_LEN];
	double to_pay;
	bool counted;

	dataset_judge(&j, verdict, report);
	if (!j.dataset)
		return;
	counted = j.dataset->counted;
	count = &j.dataset->count;
	row = json_open_object(b, row, metrics[M_DATASET].key);
	json_add_text(b, row, metrics[M_PATH].key, name_place(name, &j.dataset->place));
	json_add_known_count(b, row, metrics[M_FILES].key, counted, count->files);
	json_add_known_count(b, row, metrics[M_BYTES].key, counted, count->bytes);
	json_add(b, row, metrics[M_COMPLETE].key,
		 counted ? json_boolean(count->complete) : json_null());
	json_add_known_count(b, row, metrics[M_READ_FILES].key, j.read_known, count->read_files);
	json_add_known_count(b, row, metrics[M_READ_BYTES].key, j.read_known, count->read_bytes);
	json_add_known_count(b, row, metrics[M_READ_AGAIN_BYTES].key, j.read_known,
			     count->again_bytes);
	add_memory(b, row, &j);
	json_add_text(b, row, metrics[M_CACHE].key, cache_keys[j.cache]);
	json_add_known_real(b, row, metrics[M_EPOCHS_SEEN].key, j.epochs_seen > 0, j.epochs_seen);
	to_pay = dataset_epochs_to_pay(&j, storage ? storage->speedup : 0);
	json_add_known_real(b, row, metrics[M_EPOCHS_TO_PAY].key, to_pay > 0, to_pay);
}
