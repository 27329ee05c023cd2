// SPDX-License-Identifier: BSD-2-Clause
#include "show/verdict.h"

#include "base/text.h"
#include "show/dataset.h"
#include "show/metrics.h"
#include "show/served.h"
#include "show/stuck.h"
#include "show/what_if.h"
#include "show/words.h"

enum { COMM_TEXT_LEN = 4 * COMM_LEN, PATH_LEN = 256 };

/* The limits of the TensorFlow Profiler. */
static const double input_bound_pct = 5, highly_bound_pct = 20;

static const char *const class_names[VERDICT_CLASSES] = {
	[CLASS_STORAGE] = "storage",       [CLASS_CPU] = "cpu",
	[CLASS_RUNQUEUE] = "runqueue",     [CLASS_LOCK] = "lock",
	[CLASS_NETWORK] = "network",       [CLASS_GPU] = "gpu",
	[CLASS_SLEEP] = "sleep",           [CLASS_PIPELINE] = "pipeline",
	[CLASS_EXTERNAL] = "external",     [CLASS_OTHER] = "other",
	[CLASS_CHECKPOINT] = "checkpoint", [CLASS_NOT_INPUT_BOUND] = "not-input-bound",
	[CLASS_MIXED] = "mixed",           [CLASS_UNKNOWN] = "unknown",
	[CLASS_STUCK] = "stuck",
};

static const char *const where_names[WHERE_KINDS] = {
	[WHERE_DEVICE] = "device",
	[WHERE_MOUNT] = "mount",
	[WHERE_FILE] = "file",
	[WHERE_PROCESS] = "process",
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
	[CLASS_STUCK] = "it waits, and nobody is left who could end that",
};

const char *const reason_words[] = {
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
	[REASON_NOT_SEEN] = "without BPF it is not seen who ends its waits",
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

static const char *name_of(char text[COMM_TEXT_LEN], const struct report *report, pid_t pid)
{
	const struct process_report *p = report_find_process(report, pid);

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

/* "/data on vda 97 %, /home on sda 2 %" */
static void print_places(FILE *out, const struct evidence *e, enum where_kind kind,
			 const char **separator)
{
	for (size_t i = 0; i < e->where_count; i++) {
		const struct where *place = &e->where[i];
		char raw[PATH_LEN], text[4 * PATH_LEN];

		if (place->kind != kind)
			continue;
		text_copy(raw, sizeof(raw), place->name);
		text_escape(text, sizeof(text), raw, TEXT_PLAIN);
		fprintf(out, "%s%s%s%s %.0f %%", *separator, text, place->device[0] ? " on " : "",
			place->device, place->pct);
		*separator = ", ";
	}
}

static void print_processes(FILE *out, const struct evidence *e, const struct report *report,
			    const char **separator)
{
	char name[COMM_TEXT_LEN];

	for (size_t i = 0; i < e->where_count; i++) {
		if (e->where[i].kind != WHERE_PROCESS)
			continue;
		fprintf(out, "%s%d %s %.0f %%", *separator, e->where[i].pid,
			name_of(name, report, e->where[i].pid), e->where[i].pct);
		*separator = ", ";
	}
}

/* Mounts (devices where these are not known), files and processes, parted by semicolons. */
static void print_where(FILE *out, const struct evidence *e, const struct report *report)
{
	const char *separator = "  where: ";
	bool mounts = false;

	for (size_t i = 0; i < e->where_count; i++)
		mounts = mounts || e->where[i].kind == WHERE_MOUNT;
	print_places(out, e, mounts ? WHERE_MOUNT : WHERE_DEVICE, &separator);
	separator = separator[0] == ',' ? "; " : separator;
	print_places(out, e, WHERE_FILE, &separator);
	separator = separator[0] == ',' ? "; " : separator;
	print_processes(out, e, report, &separator);
	if (e->where_count)
		fprintf(out, "\n");
}

/* An advice in words, with what it would bring; 0: that is not told. */
struct told_advice {
	struct advice_words words;
	double speedup;
};

static size_t tell_advice(struct told_advice told[ADVICE_MOST], const struct verdict *v,
			  const struct report *report, const struct what_ifs *what_ifs)
{
	struct advice list[ADVICE_MOST];
	size_t count = advice_rate(list, advice_find(list, v, report), what_ifs);

	for (size_t i = 0; i < count; i++) {
		advice_describe(&told[i].words, &list[i], v);
		told[i].speedup = list[i].speedup;
	}
	if (count < ADVICE_MOST && stuck_advise(&told[count].words, v))
		told[count++].speedup = 0;
	return count;
}

static void print_advice(FILE *out, const struct verdict *v, const struct report *report)
{
	struct told_advice told[ADVICE_MOST];
	struct what_ifs what_ifs;
	size_t count;

	what_if_find(&what_ifs, v, report);
	show_what_if_text(out, &what_ifs, v);
	count = tell_advice(told, v, report, &what_ifs);
	for (size_t i = 0; i < count; i++) {
		double speedup = told[i].speedup;

		fprintf(out, "  do: %s; because %s", told[i].words.what, told[i].words.because);
		if (speedup > 0)
			fprintf(out, "; predicted: %.*fx", speedup < 1.95 ? 2 : 1, speedup);
		fprintf(out, "\n");
	}
}

static bool is_starved(const struct verdict *v)
{
	return v->share_known && v->class != CLASS_NOT_INPUT_BOUND &&
	       v->input_bound_pct >= input_bound_pct;
}

static void print_headline(FILE *out, const struct verdict *v, const struct report *report)
{
	char name[COMM_TEXT_LEN];

	fprintf(out, "Verdict for %d %s: %s", v->pid, name_of(name, report, v->pid),
		class_names[v->class]);
	if (v->class == CLASS_UNKNOWN) {
		fprintf(out, " (%s)\n", reason_words[v->reason]);
		return;
	}
	fprintf(out, ": %s; ", class_words[v->class]);
	if (is_starved(v))
		fprintf(out, "%s input-bound (%.1f %%), ",
			v->input_bound_pct > highly_bound_pct ? "highly" : "moderately",
			v->input_bound_pct);
	fprintf(out, "confidence %s\n", confidence_names[v->confidence]);
}

static void print_verdict(FILE *out, const struct verdict *v, const struct report *report)
{
	struct evidence e;

	evidence_collect(&e, v, report);
	print_headline(out, v, report);
	print_blame(out, v);
	print_where(out, &e, report);
	if (v->class != CLASS_UNKNOWN)
		show_served_text(out, &e);
	for (size_t i = 0; i < e.count; i++)
		fprintf(out, "  %s\n", e.lines[i]);
	show_stuck_text(out, v);
	print_advice(out, v, report);
}

void show_verdicts_text(FILE *out, const struct verdicts *verdicts, const struct report *report)
{
	for (size_t i = 0; i < verdicts->count; i++) {
		fprintf(out, "\n");
		print_verdict(out, &verdicts->list[i], report);
	}
}

static void add_blame(struct json_builder *b, json_t *row, const struct verdict *v)
{
	json_t *blame = json_open_object(b, row, metrics[M_BLAME_PCT].key);
	json_t *intervals;

	for (int class = 0; class < BLAME_CLASSES; class ++)
		json_add_real(b, blame, class_names[class], v->blame_pct[class]);
	intervals = json_open_object(b, row, metrics[M_INTERVAL_CLASSES].key);
	for (int class = 0; class < VERDICT_CLASSES; class ++)
		if (v->interval_classes[class])
			json_add_count(b, intervals, class_names[class],
				       v->interval_classes[class]);
}

/* A process by its PID and name. */
static void add_process_name(struct json_builder *b, json_t *row, const struct report *report,
			     pid_t pid)
{
	const struct process_report *process = report_find_process(report, pid);
	char name[CMDLINE_LEN + 32];

	snprintf(name, sizeof(name), "%d %.*s", pid, CMDLINE_LEN, process ? process->comm : "");
	json_add_text(b, row, metrics[M_NAME].key, name);
	json_add_count(b, row, metrics[M_PID].key, (uint64_t)pid);
}

static void add_where(struct json_builder *b, json_t *row, const struct evidence *e,
		      const struct report *report)
{
	json_t *list = json_open_array(b, row, metrics[M_WHERE].key);

	for (size_t i = 0; i < e->where_count; i++) {
		json_t *place = json_open_object(b, list, NULL);

		json_add_text(b, place, metrics[M_KIND].key, where_names[e->where[i].kind]);
		if (e->where[i].kind == WHERE_PROCESS)
			add_process_name(b, place, report, e->where[i].pid);
		else
			json_add_text(b, place, metrics[M_NAME].key, e->where[i].name);
		json_add_real(b, place, metrics[M_PCT].key, e->where[i].pct);
	}
	show_served_json(b, list, e);
}

static void add_advice(struct json_builder *b, json_t *row, const struct verdict *v,
		       const struct report *report, const struct what_ifs *what_ifs)
{
	json_t *list = json_open_array(b, row, metrics[M_ADVICE].key);
	struct told_advice told[ADVICE_MOST];
	size_t count = tell_advice(told, v, report, what_ifs);

	for (size_t i = 0; i < count; i++) {
		json_t *entry = json_open_object(b, list, NULL);

		json_add_text(b, entry, metrics[M_DO].key, told[i].words.what);
		json_add_text(b, entry, metrics[M_BECAUSE].key, told[i].words.because);
		if (told[i].speedup > 0)
			json_add_real(b, entry, metrics[M_SPEEDUP].key, told[i].speedup);
		else
			json_add_null(b, entry, metrics[M_SPEEDUP].key);
	}
}

static void add_startup(struct json_builder *b, json_t *row, const struct verdict *v)
{
	json_add_real(b, row, metrics[M_STARTUP_S].key, v->startup_s);
	if (v->startup_s > 0)
		json_add_text(b, row, metrics[M_STARTUP_CLASS].key, class_names[v->startup_class]);
	else
		json_add_null(b, row, metrics[M_STARTUP_CLASS].key);
}

static void add_verdict(struct json_builder *b, json_t *list, const struct verdict *v,
			const struct report *report)
{
	const struct process_report *process = report_find_process(report, v->pid);
	json_t *row = json_open_object(b, list, NULL);
	bool known = v->class != CLASS_UNKNOWN;
	struct what_ifs what_ifs;
	struct evidence e;

	evidence_collect(&e, v, report);
	json_add_count(b, row, metrics[M_PID].key, (uint64_t)v->pid);
	if (v->tid)
		json_add_count(b, row, metrics[M_TRAINER_TID].key, (uint64_t)v->tid);
	else
		json_add_null(b, row, metrics[M_TRAINER_TID].key);
	json_add_text(b, row, metrics[M_COMM].key, process ? process->comm : "");
	json_add_text(b, row, metrics[M_CLASS].key, class_names[v->class]);
	json_add_text(b, row, metrics[M_REASON].key,
		      known ? class_words[v->class] : reason_words[v->reason]);
	json_add(b, row, metrics[M_MARKED].key, json_boolean(v->marked));
	if (known && v->share_known)
		json_add_real(b, row, metrics[M_INPUT_BOUND_PCT].key, v->input_bound_pct);
	else
		json_add_null(b, row, metrics[M_INPUT_BOUND_PCT].key);
	if (known && v->share_known && v->looks)
		json_add_real(b, row, metrics[M_INPUT_BOUND_UNCERTAINTY_PCT].key,
			      v->uncertainty_pct);
	add_startup(b, row, v);
	if (known) {
		json_add_text(b, row, metrics[M_CONFIDENCE].key, confidence_names[v->confidence]);
		json_add_real(b, row, metrics[M_STEADY_S].key, v->steady_s);
		add_blame(b, row, v);
		add_where(b, row, &e, report);
	}
	list = json_open_array(b, row, metrics[M_EVIDENCE].key);
	for (size_t i = 0; i < e.count; i++)
		json_append_text(b, list, e.lines[i]);
	what_if_find(&what_ifs, v, report);
	show_what_if_json(b, row, &what_ifs);
	show_dataset_json(b, row, v, report, &what_ifs);
	show_stuck_json(b, row, v);
	add_advice(b, row, v, report, &what_ifs);
}

void show_verdicts_json(struct json_builder *b, const struct verdicts *verdicts,
			const struct report *report)
{
	json_t *list = json_open_array(b, b->root, "verdicts");

	for (size_t i = 0; i < verdicts->count; i++)
		add_verdict(b, list, &verdicts->list[i], report);
}
