// SPDX-License-Identifier: BSD-2-Clause
#include "judge/where.h"

#include <stdlib.h>
#include <string.h>

#include "base/order.h"

static const double least_pct = 1;
static const double most_of_folder = 0.9;

enum { KIND_WRITE = LEDGER_STORAGE_WRITE - LEDGER_STORAGE_READ };

/* Something that was waited for. */
struct place {
	const char *name, *device;
	pid_t pid;
	double weight;
};

bool where_is_blamed(const struct verdict *verdict, const struct process_report *process)
{
	if (process->pid == 0)
		return false;
	if (verdict->input == INPUT_OWN && process->pid == verdict->pid)
		return true;
	for (size_t i = 0; i < verdict->producer_count; i++)
		if (verdict->producers[i].critical && verdict->producers[i].pid == process->pid)
			return true;
	return false;
}

uint64_t where_file_wait_ns(const struct verdict *verdict, const struct process_report *process,
			    const struct file_report *file)
{
	return file->wait_ns - (process->pid == verdict->pid ? file->kind_ns[KIND_WRITE] : 0);
}

uint64_t where_storage_ns(const struct verdict *verdict, const struct process_report *process)
{
	uint64_t all = ledger_storage_ns(&process->ledger), placed = 0;

	if (process->pid == verdict->pid)
		all -= ledger_class_ns(&process->ledger, LEDGER_STORAGE_WRITE);
	for (size_t i = 0; i < process->file_count; i++)
		placed += where_file_wait_ns(verdict, process, &process->files[i]);
	/* Places have the times of the tracepoints, classes those of the kernel: they can be a little more. */
	return placed > all ? placed : all;
}

static int by_name(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : compare_numbers((uint64_t)x->pid, (uint64_t)y->pid);
}

static int by_weight(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = (x->weight < y->weight) - (x->weight > y->weight);

	return order ? order : by_name(a, b);
}

/* Add those of the same name up. Returns how many are left. */
static size_t merge(struct place *places, size_t count)
{
	size_t kept = 0;

	qsort(places, count, sizeof(*places), by_name);
	for (size_t i = 0; i < count; i++)
		if (kept && by_name(&places[kept - 1], &places[i]) == 0)
			places[kept - 1].weight += places[i].weight;
		else
			places[kept++] = places[i];
	return kept;
}

/* Append the largest; all places together would have `pct` were they to weigh `total`. */
static size_t take_largest(struct where *list, enum where_kind kind, struct place *places,
			   size_t count, double total, double pct)
{
	size_t taken = 0;

	if (!count || total <= 0)
		return 0;
	count = merge(places, count);
	qsort(places, count, sizeof(*places), by_weight);
	for (size_t i = 0; i < count && i < WHERE_PER_KIND; i++) {
		struct where where = { .kind = kind,
				       .name = places[i].name,
				       .device = places[i].device,
				       .pid = places[i].pid,
				       .pct = pct * places[i].weight / total };

		if (where.pct >= least_pct)
			list[taken++] = where;
	}
	return taken;
}

/* NULL: that is not known, or there is none. */
static const char *name_of(const struct file_report *file, enum where_kind kind)
{
	switch (kind) {
	case WHERE_DEVICE:
		return file->device_name[0] ? file->device_name : NULL;
	case WHERE_MOUNT:
		return file->mount;
	default:
		return file->path;
	}
}

static size_t list_files(struct place *places, enum where_kind kind, const struct verdict *verdict,
			 const struct report *report)
{
	size_t count = 0;

	for (size_t i = 0; i < report->process_count; i++) {
		const struct process_report *p = &report->processes[i];

		if (!where_is_blamed(verdict, p))
			continue;
		for (size_t k = 0; k < p->file_count; k++) {
			const struct file_report *file = &p->files[k];
			uint64_t ns = where_file_wait_ns(verdict, p, file);
			const char *name = name_of(file, kind);

			if (ns && name)
				places[count++] = (struct place){
					.name = name,
					.device = kind == WHERE_DEVICE ? "" : file->device_name,
					.weight = (double)ns
				};
		}
	}
	return count;
}

static size_t list_processes(struct place *places, const struct verdict *verdict, double *total)
{
	size_t count = 0;

	*total = 0;
	for (size_t i = 0; i < verdict->producer_count; i++) {
		const struct producer *p = &verdict->producers[i];

		if (!p->critical || p->on_clock_s <= 0)
			continue;
		places[count++] = (struct place){
			.name = "", .device = "", .pid = p->pid, .weight = p->on_clock_s
		};
		*total += p->on_clock_s;
	}
	return count;
}

/* The part of the blame that is something that producers did. */
static double producers_pct(const struct verdict *verdict)
{
	double sum = 0;

	for (int class = 0; class < BLAME_CLASSES; class ++)
		if (class != CLASS_PIPELINE && class != CLASS_EXTERNAL)
			sum += verdict->blame_pct[class];
	return sum;
}

size_t where_find(struct where list[WHERE_MOST], const struct verdict *verdict,
		  const struct report *report)
{
	size_t most = verdict->producer_count, count = 0;
	double storage_ns = 0, worked;
	struct place *places;

	for (size_t i = 0; i < report->process_count; i++) {
		if (!where_is_blamed(verdict, &report->processes[i]))
			continue;
		most += report->processes[i].file_count;
		storage_ns += (double)where_storage_ns(verdict, &report->processes[i]);
	}
	places = calloc(most + 1, sizeof(*places));
	if (!places)
		return 0;
	for (enum where_kind kind = WHERE_DEVICE; kind <= WHERE_FILE; kind++)
		count += take_largest(&list[count], kind, places,
				      list_files(places, kind, verdict, report), storage_ns,
				      verdict->blame_pct[CLASS_STORAGE]);
	most = list_processes(places, verdict, &worked);
	count += take_largest(&list[count], WHERE_PROCESS, places, most, worked,
			      producers_pct(verdict));
	free(places);
	return count;
}

/* Of the waits for files, those whose path begins like this; all, where `length` is 0. Finds the longest of them too. */
static uint64_t waits_below(const struct verdict *verdict, const struct report *report,
			    const char *path, size_t length, const char **longest)
{
	uint64_t sum = 0, most = 0;

	for (size_t i = 0; i < report->process_count; i++) {
		const struct process_report *p = &report->processes[i];

		for (size_t k = 0; where_is_blamed(verdict, p) && k < p->file_count; k++) {
			uint64_t ns = where_file_wait_ns(verdict, p, &p->files[k]);

			if (length && strncmp(p->files[k].path, path, length) != 0)
				continue;
			sum += ns;
			if (ns > most)
				*longest = p->files[k].path;
			most = ns > most ? ns : most;
		}
	}
	return sum;
}

size_t where_find_folder(const char **path, const struct verdict *verdict,
			 const struct report *report)
{
	const char *ignored;
	uint64_t all;
	size_t length;

	*path = "";
	all = waits_below(verdict, report, "", 0, path);
	/* Upwards from the file that was waited for longest, which is in it or alone has too little. */
	for (length = strlen(*path); length > 1; length--)
		if ((*path)[length - 1] == '/' &&
		    (double)waits_below(verdict, report, *path, length, &ignored) >=
			    most_of_folder * (double)all)
			return length - 1;
	return 0;
}

struct latency where_read_latency(const struct verdict *verdict, const struct report *report,
				  const char *device)
{
	struct io_row sum = { 0 };

	for (size_t i = 0; i < report->process_count; i++) {
		const struct process_report *p = &report->processes[i];

		for (size_t k = 0; where_is_blamed(verdict, p) && k < p->io_count; k++) {
			const struct io_row *row = &p->io[k];

			if (row->key.op == IO_READ &&
			    strcmp(report_device_name(report, row->key.device), device) == 0)
				io_row_add(&sum, row);
		}
	}
	return io_device_latency(&sum);
}
