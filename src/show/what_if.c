// SPDX-License-Identifier: BSD-2-Clause
#include "show/what_if.h"

#include "base/units.h"
#include "show/metrics.h"

enum { BOUND_LEN = 64 };

static const char *const change_keys[CHANGES] = {
	[CHANGE_STORAGE] = "storage",       [CHANGE_CPU] = "cpu",
	[CHANGE_RUNQUEUE] = "runqueue",     [CHANGE_LOCK] = "lock",
	[CHANGE_NETWORK] = "network",       [CHANGE_CHECKPOINT] = "checkpoint",
	[CHANGE_WORKERS_X2] = "workers_x2", [CHANGE_PREFETCH] = "prefetch",
};

static const char *const change_words[CHANGES] = {
	[CHANGE_STORAGE] = "storage free",     [CHANGE_CPU] = "cpu free",
	[CHANGE_RUNQUEUE] = "processors free", [CHANGE_LOCK] = "no lock",
	[CHANGE_NETWORK] = "network free",     [CHANGE_CHECKPOINT] = "no checkpoints",
	[CHANGE_PREFETCH] = "batches ahead",
};

static const char *const bound_keys[BOUNDS] = {
	[BOUND_TRAINER] = "trainer", [BOUND_PRODUCERS] = "producers", [BOUND_CPUS] = "cpus",
	[BOUND_DEVICE] = "device",   [BOUND_LIMIT] = "limit",
};

static const char *const untold_words[UNTOLD_REASONS] = {
	[UNTOLD_CLASS] = "the verdict does not tell what it waits for, or how long",
	[UNTOLD_OUTSIDE] = "it waits for processes outside the job",
	[UNTOLD_CHECK] = "trainer and producers together do not explain how long the loop took",
	[UNTOLD_NOTHING] = "there is nothing of the kind",
	[UNTOLD_OWN] = "it makes its data itself",
	[UNTOLD_SERVING] = "that the storage serves more at the same time was not seen",
	[UNTOLD_SERVER] = "whether the server serves more at the same time is not known",
	[UNTOLD_LOCKED] = "producers wait for one another",
	[UNTOLD_QUEUED] = "workers wait for processors already",
	[UNTOLD_POOL] = "how many of the pool's threads are in use is not known",
	[UNTOLD_NOBODY] = "no workers are seen",
	[UNTOLD_BPF] = "without BPF it is not seen who waits for whom",
};

static void describe_change(char *text, size_t size, const struct what_if *w,
			    const struct verdict *v)
{
	unsigned int workers = verdict_live_workers(v);

	if (w->change != CHANGE_WORKERS_X2)
		snprintf(text, size, "%s", change_words[w->change]);
	else if (workers)
		snprintf(text, size, "%u workers instead of %u", 2 * workers, workers);
	else
		snprintf(text, size, "twice the workers");
}

static void describe_bound(char *text, size_t size, const struct what_ifs *all,
			   const struct what_if *w)
{
	switch (w->bound) {
	case BOUND_TRAINER:
		snprintf(text, size, "the trainer's own step binds");
		break;
	case BOUND_CPUS:
		snprintf(text, size, "%.3g processor%s bind%s", all->cpus, all->cpus > 1 ? "s" : "",
			 all->cpus > 1 ? "" : "s");
		break;
	case BOUND_DEVICE:
		snprintf(text, size, "storage binds");
		break;
	case BOUND_LIMIT:
		snprintf(text, size, "the %.3g MB/s limit binds", all->limit_bytes_s / 1e6);
		break;
	default:
		snprintf(text, size, "its producers bind");
	}
}

void show_what_if_text(FILE *out, const struct what_ifs *what_ifs, const struct verdict *verdict)
{
	const char *separator = "  what if: ";

	for (size_t i = 0; i < what_ifs->count; i++) {
		const struct what_if *w = &what_ifs->list[i];
		char change[BOUND_LEN], bound[BOUND_LEN];

		describe_change(change, sizeof(change), w, verdict);
		describe_bound(bound, sizeof(bound), what_ifs, w);
		fprintf(out, "%s%s: %s%.*fx (%s%s)", separator, change,
			w->at_least ? "at least " : "", w->speedup < 1.95 ? 2 : 1, w->speedup,
			w->speedup < WHAT_IF_LEAST_GAIN ? "no gain: " : "then ", bound);
		separator = "; ";
	}
	if (what_ifs->count)
		fprintf(out, "\n");
}

void show_what_if_json(struct json_builder *b, json_t *verdict, const struct what_ifs *what_ifs)
{
	json_t *list = json_open_array(b, verdict, metrics[M_WHAT_IF].key);

	for (size_t i = 0; i < what_ifs->count; i++) {
		const struct what_if *w = &what_ifs->list[i];
		json_t *row = json_open_object(b, list, NULL);

		json_add_text(b, row, metrics[M_CHANGE].key, change_keys[w->change]);
		json_add_real(b, row, metrics[M_SPEEDUP].key, w->speedup);
		json_add_text(b, row, metrics[M_BOUND_BY].key, bound_keys[w->bound]);
		json_add(b, row, metrics[M_AT_LEAST].key, json_boolean(w->at_least));
	}
}

void show_untold_text(FILE *out, const struct verdicts *verdicts, const struct report *report)
{
	fprintf(out, "\nWhat-ifs that are not told\n");
	for (size_t i = 0; i < verdicts->count; i++) {
		struct what_ifs all;

		what_if_find(&all, &verdicts->list[i], report);
		for (int change = 0; change < CHANGES; change++)
			if (!all.told[change])
				fprintf(out, "  %d: %s: %s\n", verdicts->list[i].pid,
					change_keys[change], untold_words[all.untold[change]]);
	}
}

void show_untold_json(struct json_builder *b, const struct verdicts *verdicts,
		      const struct report *report)
{
	json_t *list = json_open_array(b, json_object_get(b->root, "debug"), "not_told");

	for (size_t i = 0; i < verdicts->count; i++) {
		struct what_ifs all;

		what_if_find(&all, &verdicts->list[i], report);
		for (int change = 0; change < CHANGES; change++) {
			json_t *row;

			if (all.told[change])
				continue;
			row = json_open_object(b, list, NULL);
			json_add_count(b, row, metrics[M_PID].key, (uint64_t)verdicts->list[i].pid);
			json_add_text(b, row, metrics[M_CHANGE].key, change_keys[change]);
			json_add_text(b, row, metrics[M_REASON].key,
				      untold_words[all.untold[change]]);
		}
	}
}
