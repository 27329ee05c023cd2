// SPDX-License-Identifier: BSD-2-Clause
#include "show/verdict.h"

#include <math.h>

#include "base/text.h"
#include "base/units.h"
#include "show/metrics.h"

enum {
	SHOWN_PRODUCERS = 8,
	EVIDENCE_LINES = SHOWN_PRODUCERS + 3,
	COMM_TEXT_LEN = 4 * COMM_LEN,
	LINE_LEN = 1024,
};

static const char *const class_names[VERDICT_CLASSES] = {
	[CLASS_STORAGE] = "storage",       [CLASS_CPU] = "cpu",
	[CLASS_RUNQUEUE] = "runqueue",     [CLASS_LOCK] = "lock",
	[CLASS_NETWORK] = "network",       [CLASS_GPU] = "gpu",
	[CLASS_SLEEP] = "sleep",           [CLASS_PIPELINE] = "pipeline",
	[CLASS_EXTERNAL] = "external",     [CLASS_OTHER] = "other",
	[CLASS_CHECKPOINT] = "checkpoint", [CLASS_NOT_INPUT_BOUND] = "not-input-bound",
	[CLASS_MIXED] = "mixed",           [CLASS_UNKNOWN] = "unknown",
};

static const char *const confidence_names[] = { "low", "medium", "high" };

/* What it means for the one who reads it. */
static const char *const class_words[VERDICT_CLASSES] = {
	[CLASS_STORAGE] = "its producers wait for storage",
	[CLASS_CPU] = "its producers are busy on the CPU",
	[CLASS_RUNQUEUE] = "threads wait for a processor",
	[CLASS_LOCK] = "threads wait for one another's lock",
	[CLASS_NETWORK] = "its producers wait for the network",
	[CLASS_GPU] = "its producers wait for the GPU",
	[CLASS_SLEEP] = "its producers sleep",
	[CLASS_PIPELINE] = "the trainer and its producers take turns",
	[CLASS_EXTERNAL] = "it waits for processes outside the job",
	[CLASS_OTHER] = "its producers wait for something else",
	[CLASS_CHECKPOINT] = "it writes checkpoints itself",
	[CLASS_NOT_INPUT_BOUND] = "input is there when it is needed",
	[CLASS_MIXED] = "no single cause has most of it",
};

static const char *const reason_words[] = {
	[REASON_NONE] = "",
	[REASON_SHORT] = "too little was seen: less than 2 s, or 10 waits",
	[REASON_NO_INPUT] = "it waits, but for no thread that is seen to make input",
	[REASON_SAME_PROCESS] = "threads of its own process make its input, and maybe its step",
	[REASON_UNCLEAR] = "much of what it waits for is not ended by its producers",
	[REASON_SAME_LOCK] = "its threads share a lock that keeps one processor busy",
	[REASON_OWN_CPU] =
		"it makes its data itself: preprocessing in its own thread is not separable from its step",
	[REASON_NO_MARKER] =
		"this TensorFlow does not export the function that tells input from step",
	[REASON_ENDED] = "threads ended before they could be looked at",
	[REASON_APART] =
		"its producers worked at different times, and when nobody did is not known",
};

const char *show_class_name(enum verdict_class class)
{
	return class_names[class];
}

const char *show_largest_blame(const struct verdict *v)
{
	int largest = 0;

	for (int class = 1; class < BLAME_CLASSES; class ++)
		if (v->blame_pct[class] > v->blame_pct[largest])
			largest = class;
	return v->blame_pct[largest] > 0 ? class_names[largest] : NULL;
}

static const struct process_report *find_process(const struct report *report, pid_t pid)
{
	for (size_t i = 0; i < report->process_count; i++)
		if (report->processes[i].pid == pid)
			return &report->processes[i];
	return NULL;
}

static const char *name_of(char text[COMM_TEXT_LEN], const struct report *report, pid_t pid)
{
	const struct process_report *p = find_process(report, pid);

	text_escape(text, COMM_TEXT_LEN, p ? p->comm : "", TEXT_PLAIN);
	return text;
}

static void print_blame(FILE *out, const struct verdict *v)
{
	const char *separator = "  blame: ";

	for (int class = 0; class < BLAME_CLASSES; class ++) {
		if (v->blame_pct[class] < 0.5)
			continue;
		fprintf(out, "%s%s %.0f %%", separator, class_names[class], v->blame_pct[class]);
		separator = ", ";
	}
	if (separator[0] == ',')
		fprintf(out, "\n");
}

static void producer_line(char line[LINE_LEN], const struct verdict *v, const struct producer *p,
			  const struct report *report)
{
	char name[COMM_TEXT_LEN];
	int largest = 0;

	for (int class = 1; class < BLAME_CLASSES; class ++)
		if (p->blame_s[class] > p->blame_s[largest])
			largest = class;
	if (p->on_clock_s <= 0.1 * v->waited_s)
		snprintf(line, LINE_LEN, "thread %d of %d %s was idle for %.0f %% of these %.1f s",
			 p->tid, p->pid, name_of(name, report, p->pid),
			 100 * (1 - p->on_clock_s / v->waited_s), v->waited_s);
	else
		snprintf(line, LINE_LEN,
			 "thread %d of %d %s worked %.1f of these %.1f s, %.0f %% of it %s", p->tid,
			 p->pid, name_of(name, report, p->pid), fmin(p->on_clock_s, v->waited_s),
			 v->waited_s, 100 * p->blame_s[largest] / p->on_clock_s,
			 class_names[largest]);
}

/* The largest wait of a process for one place. */
static bool file_line(char line[LINE_LEN], const struct report *report, pid_t pid)
{
	const struct process_report *p = find_process(report, pid);
	char path[4 * LINE_LEN / 8], raw[LINE_LEN / 8], wait[32];

	if (!p || !p->file_count || p->files[0].wait_ns < NS_PER_MS)
		return false;
	text_copy(raw, sizeof(raw), p->files[0].path);
	text_escape(path, sizeof(path), raw, TEXT_PLAIN);
	snprintf(line, LINE_LEN, "process %d waited %s for %s%s%s", pid,
		 duration_format(wait, sizeof(wait), (double)p->files[0].wait_ns), path,
		 p->files[0].device_name[0] ? " on " : "", p->files[0].device_name);
	return true;
}

static bool has_blame(const struct verdict *v)
{
	for (int class = 0; class < BLAME_CLASSES; class ++)
		if (v->blame_pct[class] > 0)
			return true;
	return false;
}

/* The figures behind a verdict, a line each. Returns how many. */
static size_t evidence(char lines[EVIDENCE_LINES][LINE_LEN], const struct verdict *v,
		       const struct report *report)
{
	size_t count = 0;

	snprintf(lines[count++], LINE_LEN, "it waited %.1f of %.1f s (%.1f %%) for input",
		 v->waited_s, v->steady_s, v->input_bound_pct);
	if (!has_blame(v))
		return count;
	for (size_t i = 0; i < v->producer_count && i < SHOWN_PRODUCERS; i++)
		producer_line(lines[count++], v, &v->producers[i], report);
	if (v->class == CLASS_STORAGE && v->producer_count &&
	    file_line(lines[count], report, v->producers[0].pid))
		count++;
	if (v->class == CLASS_STORAGE && report->above_block)
		snprintf(
			lines[count++], LINE_LEN,
			"the wait is above the block layer: the job's requests took %.1f s of %.1f",
			report->job_block_s, duration_seconds(ledger_storage_ns(&report->job)));
	return count;
}

static void print_verdict(FILE *out, const struct verdict *v, const struct report *report)
{
	char name[COMM_TEXT_LEN], lines[EVIDENCE_LINES][LINE_LEN];
	size_t count;

	fprintf(out, "Verdict for %d %s: %s", v->pid, name_of(name, report, v->pid),
		class_names[v->class]);
	if (v->class == CLASS_UNKNOWN) {
		fprintf(out, " (%s)\n", reason_words[v->reason]);
		return;
	}
	fprintf(out, ": %s; confidence %s\n", class_words[v->class],
		confidence_names[v->confidence]);
	print_blame(out, v);
	count = evidence(lines, v, report);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "  %s\n", lines[i]);
}

void show_verdicts_text(FILE *out, const struct verdicts *verdicts, const struct report *report)
{
	for (size_t i = 0; i < verdicts->count; i++) {
		fprintf(out, "\n");
		print_verdict(out, &verdicts->list[i], report);
	}
}

static void add_verdict(struct json_builder *b, json_t *list, const struct verdict *v,
			const struct report *report)
{
	const struct process_report *process = find_process(report, v->pid);
	json_t *row = json_open_object(b, list, NULL);
	char lines[EVIDENCE_LINES][LINE_LEN];
	json_t *blame;
	size_t count;

	json_add_count(b, row, metrics[M_PID].key, (uint64_t)v->pid);
	json_add_text(b, row, metrics[M_COMM].key, process ? process->comm : "");
	json_add_text(b, row, metrics[M_CLASS].key, class_names[v->class]);
	if (v->class == CLASS_UNKNOWN) {
		json_add_null(b, row, metrics[M_INPUT_BOUND_PCT].key);
		json_add_text(b, row, metrics[M_REASON].key, reason_words[v->reason]);
		return;
	}
	json_add_text(b, row, metrics[M_REASON].key, class_words[v->class]);
	json_add_real(b, row, metrics[M_INPUT_BOUND_PCT].key, v->input_bound_pct);
	json_add_text(b, row, metrics[M_CONFIDENCE].key, confidence_names[v->confidence]);
	json_add_real(b, row, metrics[M_STEADY_S].key, v->steady_s);
	json_add_real(b, row, metrics[M_STARTUP_S].key, v->startup_s);
	blame = json_open_object(b, row, metrics[M_BLAME_PCT].key);
	for (int class = 0; class < BLAME_CLASSES; class ++)
		json_add_real(b, blame, class_names[class], v->blame_pct[class]);
	list = json_open_array(b, row, "evidence");
	count = evidence(lines, v, report);
	for (size_t i = 0; i < count; i++)
		json_append_text(b, list, lines[i]);
}

void show_verdicts_json(struct json_builder *b, const struct verdicts *verdicts,
			const struct report *report)
{
	json_t *list = json_open_array(b, b->root, "verdicts");

	for (size_t i = 0; i < verdicts->count; i++)
		add_verdict(b, list, &verdicts->list[i], report);
}
