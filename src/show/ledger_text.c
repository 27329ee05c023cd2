// SPDX-License-Identifier: BSD-2-Clause
/* The report's section about the time of threads. */
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/units.h"
#include "show/ledger_text.h"
#include "show/metrics.h"

enum {
	LEDGER_PROCESSES = 20,
	LEDGER_THREADS = 20,
	LEDGER_WAITS = 3,
	NAME_LEN = 60,
	PATH_LEN = 1024
};

/* A class below this share of the time is left out of the line. */
static const double smallest_pct = 0.05;

static const char *const wait_verbs[WAIT_KINDS] = { "reading", "writing", "looking up in",
						    "faulting in" };

/* "12.0 s   storage_read 61.2 %, cpu 12.3 %" */
static void print_shares(FILE *out, const struct ledger *ledger)
{
	uint64_t wall_ns = ledger_wall_ns(ledger);
	unsigned int order[LEDGER_CLASSES];
	const char *separator = "  ";
	char wall[32];

	fprintf(out, " %9s", duration_format(wall, sizeof(wall), (double)wall_ns));
	ledger_order(ledger, order);
	for (unsigned int i = 0; wall_ns && i < LEDGER_CLASSES; i++) {
		double pct = 100.0 * (double)ledger_class_ns(ledger, order[i]) / (double)wall_ns;

		if (pct < smallest_pct)
			break;
		fprintf(out, "%s%s %.1f %%", separator, metrics[M_CPU + order[i]].heading, pct);
		separator = ", ";
	}
	fprintf(out, "\n");
}

static void print_name(FILE *out, const char *indent, long id, const char *name)
{
	char escaped[4 * NAME_LEN], raw[NAME_LEN];

	text_copy(raw, sizeof(raw), name);
	text_escape(escaped, sizeof(escaped), raw, TEXT_PLAIN);
	if (id)
		fprintf(out, "%s%7ld %-*s", indent, id, 15, escaped);
	else
		fprintf(out, "%s%-*s", indent, 23, escaped);
}

static unsigned int largest_kind(const struct file_report *file)
{
	unsigned int largest = 0;

	for (unsigned int i = 1; i < WAIT_KINDS; i++)
		if (file->kind_ns[i] > file->kind_ns[largest])
			largest = i;
	return largest;
}

/* "8.1 s reading /data/train-00012.tfrecord on nvme0n1" */
static void print_waits(FILE *out, const struct process_report *p)
{
	char wait[32];

	for (size_t i = 0; i < p->file_count && i < LEDGER_WAITS; i++) {
		const struct file_report *file = &p->files[i];
		char path[4 * PATH_LEN], raw[PATH_LEN];

		if (file->wait_ns < NS_PER_MS)
			break;
		text_copy(raw, sizeof(raw), file->path);
		text_escape(path, sizeof(path), raw, TEXT_PLAIN);
		fprintf(out, "    %9s %s %s",
			duration_format(wait, sizeof(wait), (double)file->wait_ns),
			wait_verbs[largest_kind(file)], path);
		if (file->device_name[0])
			fprintf(out, " on %s", file->device_name);
		fprintf(out, "\n");
	}
	if (p->unplaced_ns >= NS_PER_MS)
		fprintf(out, "    %9s for storage whose file is not known\n",
			duration_format(wait, sizeof(wait), (double)p->unplaced_ns));
}

static void print_write_parts(FILE *out, const struct ledger *ledger)
{
	static const unsigned int states[] = { LEDGER_FSYNC, LEDGER_DIRTY_LIMIT };
	char text[32];

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (ledger->ns[states[i]] >= NS_PER_MS)
			fprintf(out, "    %9s of %s: %s\n",
				duration_format(text, sizeof(text), (double)ledger->ns[states[i]]),
				metrics[M_STORAGE_WRITE].heading,
				metrics[M_FSYNC + states[i] - LEDGER_FSYNC].heading);
}

static void print_threads(FILE *out, const struct process_report *p)
{
	/* One alone is what the line of its process says. */
	if (p->thread_count < 2)
		return;
	for (size_t i = 0; i < p->thread_count && i < LEDGER_THREADS; i++) {
		const struct thread_report *row = &p->thread_rows[i];

		print_name(out, "    ", row->tid, row->comm);
		print_shares(out, &row->ledger);
	}
	if (p->thread_count > LEDGER_THREADS)
		fprintf(out, "    and %zu more threads\n", p->thread_count - LEDGER_THREADS);
}

static int by_wall(const void *a, const void *b)
{
	const struct process_report *const *x = a, *const *y = b;
	uint64_t x_ns = ledger_wall_ns(&(*x)->ledger), y_ns = ledger_wall_ns(&(*y)->ledger);

	if (x_ns != y_ns)
		return x_ns < y_ns ? 1 : -1;
	/* As they are in the report. */
	return *x < *y ? -1 : *x > *y;
}

static void print_above_block(FILE *out, const struct report *report)
{
	char waited[32], took[32];

	if (!report->above_block)
		return;
	fprintf(out,
		"\nWaiting above the block layer: the job's threads waited %s for storage, "
		"its block requests took\n%s. The rest is an I/O limit of a control group, "
		"a limit on dirty pages, a lock of the file system,\nor a file system on the "
		"network or in user space.\n",
		duration_format(waited, sizeof(waited), (double)ledger_storage_ns(&report->job)),
		duration_format(took, sizeof(took), report->job_block_s * NS_PER_S));
}

static void print_sampled(FILE *out, const struct report *report)
{
	if (report->source == SOURCE_PROC)
		fprintf(out,
			"  cpu and runqueue are the kernel's own figures; the rest is sampled, %llu times: a thread's "
			"shares\n  are within %.0f points in 95 of 100\n",
			(unsigned long long)report->looks, report->margin_pct);
}

int show_ledger_text(FILE *out, const struct report *report, bool threads)
{
	const struct process_report **list = calloc(report->process_count + 1, sizeof(void *));
	size_t count = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < report->process_count; i++)
		if (ledger_wall_ns(&report->processes[i].ledger))
			list[count++] = &report->processes[i];
	if (!count) {
		free((void *)list);
		return 0;
	}
	qsort((void *)list, count, sizeof(void *), by_wall);
	fprintf(out, "\nWhere the threads' time went (their lifetimes, summed)\n");
	print_sampled(out, report);
	print_name(out, "  ", 0, "the job");
	print_shares(out, &report->job);
	print_write_parts(out, &report->job);
	if (report->loss.threads_dropped)
		fprintf(out, "    %llu more threads found no room, and are in no sum\n",
			(unsigned long long)report->loss.threads_dropped);
	for (size_t i = 0; i < count && i < LEDGER_PROCESSES; i++) {
		print_name(out, "  ", list[i]->pid, list[i]->comm);
		print_shares(out, &list[i]->ledger);
		if (list[i]->server)
			fprintf(out,
				"    serves the job from outside, and is in none of its sums\n");
		else
			print_waits(out, list[i]);
		if (threads)
			print_threads(out, list[i]);
	}
	if (count > LEDGER_PROCESSES)
		fprintf(out, "  and %zu more processes\n", count - LEDGER_PROCESSES);
	free((void *)list);
	print_above_block(out, report);
	return 0;
}
