// SPDX-License-Identifier: BSD-2-Clause
/* The figures behind a verdict, in sentences. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"
#include "collect/limits.h"
#include "show/served.h"
#include "show/stuck.h"
#include "show/verdict.h"
#include "show/words.h"

enum {
	NAMED_PRODUCERS = 4,  /* critical ones, in one sentence */
	OTHER_PRODUCERS = 6,  /* a line each */
	NAMED_INTERVALS = 3,  /* classes */
	PATH_LEN = 160,       /* of a file in a sentence */
	FEWEST_INTERVALS = 3, /* to be summed up */
};

static const double least_named_pct = 20;   /* of the blame */
static const double mostly_idle = 0.5;      /* of the waits */
static const double least_held_back = 0.05; /* of the steady part */
static const double long_startup_s = 10, short_startup_s = 1, large_startup = 1 / 3.0;

/* What producers did, by cause; %s: where. */
static const char *const deeds[BLAME_CLASSES] = {
	[CLASS_CPU] = "computing",
	[CLASS_RUNQUEUE] = "waiting for a processor",
	[CLASS_LOCK] = "waiting for one another",
	[CLASS_NETWORK] = "waiting for the network",
	[CLASS_GPU] = "waiting for the GPU",
	[CLASS_SLEEP] = "asleep",
	[CLASS_EXTERNAL] = "waiting for something outside the job",
	[CLASS_OTHER] = "waiting for something else",
};

__attribute__((format(printf, 2, 3))) static void append(char *line, const char *format, ...)
{
	size_t used = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + used, SENTENCE_LEN - used, format, args);
	va_end(args);
}

/* An empty line at the end; the last one again when there is no room. */
static char *add_line(struct evidence *e)
{
	char *line = e->lines[e->count < EVIDENCE_MOST ? e->count++ : EVIDENCE_MOST - 1];

	line[0] = '\0';
	return line;
}

static bool has_blame(const struct verdict *v)
{
	for (int class = 0; class < BLAME_CLASSES; class ++)
		if (v->blame_pct[class] > 0)
			return true;
	return false;
}

static bool is_named_before(const struct verdict *v, size_t producer)
{
	const struct producer *p = &v->producers[producer];

	for (size_t i = 0; i < producer; i++)
		if (v->producers[i].critical && v->producers[i].pid == p->pid && p->pid != v->pid)
			return true;
	return false;
}

/* Of the critical producers, each process once, but each thread of the trainer's own. */
static size_t count_critical(const struct verdict *v, bool *threads)
{
	size_t count = 0;

	*threads = true;
	for (size_t i = 0; i < v->producer_count; i++) {
		if (!v->producers[i].critical || is_named_before(v, i))
			continue;
		*threads = *threads && v->producers[i].pid == v->pid;
		count++;
	}
	return count;
}

/* " for workers 25231, 25232 and 6 more"; threads of the trainer's own process by their own IDs. */
static void append_producers(char *line, const struct verdict *v)
{
	size_t named = 0, count;
	bool threads;

	count = count_critical(v, &threads);
	if (!count) {
		append(line, " for input");
		return;
	}
	append(line, " for %s%s", threads ? "its thread" : "worker", count == 1 ? "" : "s");
	for (size_t i = 0; i < v->producer_count && named < NAMED_PRODUCERS; i++) {
		const struct producer *p = &v->producers[i];

		if (p->critical && !is_named_before(v, i))
			append(line, "%s %d", named++ ? "," : "",
			       p->pid == v->pid ? p->tid : p->pid);
	}
	if (count > named)
		append(line, " and %zu more", count - named);
}

static const struct where *largest_where(const struct evidence *e, enum where_kind kind)
{
	for (size_t i = 0; i < e->where_count; i++)
		if (e->where[i].kind == kind)
			return &e->where[i];
	return NULL;
}

static void append_name(char *line, const char *before, const char *name, size_t length)
{
	char raw[PATH_LEN], text[4 * PATH_LEN];

	text_copy(raw, length + 1 < sizeof(raw) ? length + 1 : sizeof(raw), name);
	text_escape(text, sizeof(text), raw, TEXT_PLAIN);
	append(line, "%s%s", before, text);
}

/* The file, where one has most of it; else the folder, the mount or the device. */
static void append_place(char *line, const struct evidence *e, const struct verdict *v,
			 const struct report *report)
{
	const struct where *mount = largest_where(e, WHERE_MOUNT);
	const struct where *file = largest_where(e, WHERE_FILE);
	const struct where *device = largest_where(e, WHERE_DEVICE);
	const char *path;
	size_t length = where_find_folder(&path, v, report);

	if (file && file->pct > v->blame_pct[CLASS_STORAGE] / 2)
		append_name(line, " ", file->name, strlen(file->name));
	else if (length && (!mount || length > strlen(mount->name)))
		append_name(line, " files below ", path, length);
	else if (mount)
		append_name(line, " ", mount->name, strlen(mount->name));
	else
		append(line, " files");
	if (device && device->pct > v->blame_pct[CLASS_STORAGE] / 2)
		append(line, " on %s", device->name);
}

/* "reading", or what else most of the waits for storage were. */
static const char *storage_deed(const struct verdict *v, const struct report *report)
{
	static const char *const words[WAIT_KINDS] = { "reading", "writing", "looking up",
						       "reading" };
	uint64_t ns[WAIT_KINDS] = { 0 };
	int largest = 0;

	for (size_t i = 0; i < report->process_count; i++) {
		const struct process_report *p = &report->processes[i];

		for (size_t k = 0; where_is_blamed(v, p) && k < p->file_count; k++)
			for (int kind = 0; kind < WAIT_KINDS; kind++)
				ns[kind] += p->pid == v->pid && kind == 1 ?
						    0 :
						    p->files[k].kind_ns[kind];
	}
	for (int kind = 1; kind < WAIT_KINDS; kind++)
		if (ns[kind] > ns[largest])
			largest = kind;
	return words[largest];
}

static void append_deed(char *line, enum verdict_class class, const struct evidence *e,
			const struct verdict *v, const struct report *report)
{
	if (class != CLASS_STORAGE) {
		append(line, "%s", deeds[class]);
	} else if (e->where_count && e->where[0].kind != WHERE_PROCESS) {
		append(line, "%s", storage_deed(v, report));
		append_place(line, e, v, report);
	} else {
		append(line, "waiting for storage");
	}
}

/* Of those that are named and not `done`; BLAME_CLASSES: none. */
static enum verdict_class largest_named(const struct verdict *v, const bool done[BLAME_CLASSES])
{
	int largest = BLAME_CLASSES;

	for (int class = 0; class < BLAME_CLASSES; class ++)
		if (!done[class] && class != CLASS_PIPELINE &&
		    v->blame_pct[class] >= least_named_pct &&
		    (largest == BLAME_CLASSES || v->blame_pct[class] > v->blame_pct[largest]))
			largest = class;
	return (enum verdict_class)largest;
}

/* "; they spent 98 % of it reading /data on vda" */
static void append_deeds(char *line, const struct evidence *e, const struct verdict *v,
			 const struct report *report)
{
	bool done[BLAME_CLASSES] = { false }, threads;
	bool one = v->input == INPUT_OWN || count_critical(v, &threads) == 1;
	enum verdict_class class;

	for (int i = 0; (class = largest_named(v, done)) != BLAME_CLASSES; i++) {
		done[class] = true;
		if (!i)
			append(line, "; %s spent %.0f %% of it ", one ? "it" : "they",
			       v->blame_pct[class]);
		else
			append(line, ", %.0f %% ", v->blame_pct[class]);
		append_deed(line, class, e, v, report);
	}
	if (v->blame_pct[CLASS_PIPELINE] >= least_named_pct)
		append(line, "; in %.0f %% of it no worker worked", v->blame_pct[CLASS_PIPELINE]);
}

/* Is it the device that is slow? */
static void append_device(char *line, const struct evidence *e, const struct verdict *v,
			  const struct report *report)
{
	const struct where *device = largest_where(e, WHERE_DEVICE);
	struct latency latency = { .known = false };
	char text[32];

	if (v->blame_pct[CLASS_STORAGE] < least_named_pct)
		return;
	if (device)
		latency = where_read_latency(v, report, device->name);
	if (latency.known) {
		append(line, "; device p99 %s",
		       duration_format(text, sizeof(text), latency.p99_ns));
		if (report->above_block)
			append(line, ", so the wait is above the block layer");
	} else if (report->above_block) {
		append(line,
		       "; the wait is above the block layer: the job's requests took %.1f of %.1f s",
		       report->job_block_s, duration_seconds(ledger_storage_ns(&report->job)));
	}
}

static void add_share(struct evidence *e, const struct verdict *v, const struct report *report)
{
	char *line = add_line(e);

	if (!v->share_known) {
		append(line, "how much of the time it waits for input cannot be told%s%s",
		       v->reason == REASON_NONE ? "" : ": ", reason_words[v->reason]);
	} else {
		append(line, "trainer waited %.2f of %.2f s (%.1f %%)", v->waited_s, v->steady_s,
		       v->input_bound_pct);
		if (v->input == INPUT_OWN)
			append(line, " for what it reads itself");
		else if (has_blame(v))
			append_producers(line, v);
		else
			append(line, " for input");
	}
	if (!has_blame(v))
		return;
	append_deeds(line, e, v, report);
	append_device(line, e, v, report);
}

static int largest_deed(const struct producer *p)
{
	int largest = 0;

	for (int class = 1; class < BLAME_CLASSES; class ++)
		if (p->blame_s[class] > p->blame_s[largest])
			largest = class;
	return largest;
}

/* Those that were no cause. */
static void add_others(struct evidence *e, const struct verdict *v)
{
	int shown = 0;

	for (size_t i = 0; i < v->producer_count && shown < OTHER_PRODUCERS; i++) {
		const struct producer *p = &v->producers[i];
		double worked = fmin(1, p->on_clock_s / v->waited_s);
		char *line;

		if (p->critical)
			continue;
		line = add_line(e);
		if (p->pid == v->pid)
			append(line, "its thread %d", p->tid);
		else if (p->pid == p->tid)
			append(line, "worker %d", p->pid);
		else
			append(line, "thread %d of worker %d", p->tid, p->pid);
		if (worked < mostly_idle)
			append(line, " was idle %.0f %% of that time", 100 * (1 - worked));
		else
			append(line, " worked %.0f %% of that time, most of it %s", 100 * worked,
			       show_class_name(largest_deed(p)));
		shown++;
	}
}

static void add_own(struct evidence *e, const struct verdict *v)
{
	if (v->class == CLASS_CHECKPOINT)
		append(add_line(e), "it wrote and opened files for %.2f of %.2f s", v->own_write_s,
		       v->steady_s);
	if (v->class == CLASS_RUNQUEUE && v->own_runqueue_s > v->waited_s)
		append(add_line(e), "it waited for a processor itself for %.2f of %.2f s",
		       v->own_runqueue_s, v->steady_s);
	if (v->interpreter_lock && v->reason != REASON_SAME_LOCK)
		append(add_line(e),
		       "its threads share an interpreter's lock, which keeps one processor busy");
	if ((v->class == CLASS_CPU || v->class == CLASS_RUNQUEUE) && v->cpus > 0)
		append(add_line(e), "the job kept %.1f of %.0f processors busy", v->busy_cpus,
		       v->cpus);
}

/* A quota of processor time makes threads wait on a host whose processors are idle. */
static void add_held_back(struct evidence *e, const struct verdict *v, const struct report *report)
{
	const struct limits *limits = report_find_limits(report, v->pid);
	double held_back_s;

	if (!limits || !limits->held_back_known)
		return;
	held_back_s = duration_seconds(limits->held_back_ns - limits->held_back_before_ns);
	if (held_back_s > least_held_back * v->steady_s)
		append(add_line(e),
		       "its control group used up its quota of processor time, and was held back for %.1f s, "
		       "all processors together",
		       held_back_s);
}

static void add_startup(struct evidence *e, const struct verdict *v, const struct report *report)
{
	const struct process_report *p = report_find_process(report, v->pid);
	bool large = v->startup_s >= short_startup_s &&
		     v->startup_s >= large_startup * (v->startup_s + v->steady_s);
	char *line;

	/* Of one that had run for a while what was left out is no start-up. */
	if (!p || p->start_s < -long_startup_s || (v->startup_s < long_startup_s && !large))
		return;
	line = add_line(e);
	append(line, "%.*f s before the first batches", v->startup_s < long_startup_s ? 1 : 0,
	       v->startup_s);
	if (v->startup_class < BLAME_CLASSES)
		append(line, ", most of it %s", show_class_name(v->startup_class));
}

/* Where it rests on looks at threads: within what, in 95 of 100 such runs. */
static void add_uncertainty(struct evidence *e, const struct verdict *v)
{
	if (!v->looks || !v->share_known)
		return;
	append(add_line(e), "sampled %" PRIu64 " times: %.0f %% is between %.0f and %.0f %%",
	       v->looks, v->input_bound_pct, fmax(0, v->input_bound_pct - v->uncertainty_pct),
	       fmin(100, v->input_bound_pct + v->uncertainty_pct));
}

/* "storage-bound in 41 of 60 intervals, not-input-bound in 19" */
static void add_intervals(struct evidence *e, const struct verdict *v)
{
	bool done[VERDICT_CLASSES] = { false };
	unsigned int all = 0;
	char *line;

	for (int class = 0; class < VERDICT_CLASSES; class ++)
		all += v->interval_classes[class];
	if (all < FEWEST_INTERVALS)
		return;
	line = add_line(e);
	for (int i = 0; i < NAMED_INTERVALS; i++) {
		int largest = 0;

		for (int class = 1; class < VERDICT_CLASSES; class ++)
			if (done[largest] || (!done[class] && v->interval_classes[class] >
								      v->interval_classes[largest]))
				largest = class;
		if (done[largest] || !v->interval_classes[largest])
			return;
		done[largest] = true;
		append(line, "%s%s%s in %u", i ? ", " : "", show_class_name(largest),
		       largest < BLAME_CLASSES ? "-bound" : "", v->interval_classes[largest]);
		if (!i)
			append(line, " of %u intervals", all);
	}
}

static void add_served(struct evidence *e)
{
	for (size_t i = 0; i < e->served_count; i++)
		show_served_sentence(add_line(e), SENTENCE_LEN, e, &e->served[i]);
}

void evidence_collect(struct evidence *evidence, const struct verdict *verdict,
		      const struct report *report)
{
	evidence->count = 0;
	evidence->where_count = where_find(evidence->where, verdict, report);
	evidence->served_count = served_find(evidence->served, verdict, report);
	if (verdict->stuck) {
		stuck_describe(evidence, verdict->finding, verdict->stuck);
		return;
	}
	if (verdict->class != CLASS_UNKNOWN) {
		add_share(evidence, verdict, report);
		add_uncertainty(evidence, verdict);
		add_served(evidence);
		if (has_blame(verdict) && verdict->share_known && verdict->waited_s > 0)
			add_others(evidence, verdict);
		add_own(evidence, verdict);
	}
	add_held_back(evidence, verdict, report);
	add_startup(evidence, verdict, report);
	if (verdict->class == CLASS_UNKNOWN)
		return;
	add_intervals(evidence, verdict);
	if (verdict->marked)
		append(add_line(evidence), "the framework's own next-batch calls were watched");
	if (verdict->share_known && has_blame(verdict))
		append(add_line(evidence),
		       "without a GPU timeline this is an upper bound of how long the GPU idled");
}
