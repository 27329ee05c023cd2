// SPDX-License-Identifier: BSD-2-Clause
/* What later figures are made from: waiting clocks, latency by concurrency, and who waits for whom. */
#include "show/debug.h"

#include "base/text.h"
#include "base/units.h"
#include "model/edges.h"
#include "show/ledger_json.h"
#include "show/metrics.h"

enum { DEBUG_EDGES = 20 };

/* In the order of their bits. */
static const char *const frameworks[] = { "python", "pytorch", "tensorflow", "dali" };

static void add_frameworks(struct json_builder *b, json_t *row, unsigned int found)
{
	json_t *list = json_open_array(b, row, metrics[M_FRAMEWORKS].key);

	for (size_t i = 0; i < sizeof(frameworks) / sizeof(frameworks[0]); i++)
		if (found & 1U << i)
			json_append_text(b, list, frameworks[i]);
}

static void add_clock(struct json_builder *b, json_t *list, const struct process_report *p)
{
	json_t *row = json_open_object(b, list, NULL);

	json_add_count(b, row, metrics[M_PID].key, (uint64_t)p->pid);
	json_add_count(b, row, metrics[M_TRAINER_PID].key, (uint64_t)p->trainer_pid);
	json_add_real(b, row, metrics[M_CLOCK_S].key, p->clock_s);
	json_add(b, row, metrics[M_MARKED].key, json_boolean(p->marked));
	add_frameworks(b, row, p->frameworks);
	show_ledger_json(b, row, &p->waiting);
}

static void add_concurrency(struct json_builder *b, json_t *list,
			    const struct concurrency_report *c)
{
	json_t *row = json_open_object(b, list, NULL);
	json_t *classes;

	json_add_text(b, row, metrics[c->device ? M_DEVICE : M_MOUNT].key, c->name);
	classes = json_open_array(b, row, "classes");
	for (int k = 0; k < CONCURRENCY_CLASSES; k++) {
		json_t *class;

		if (!c->count[k])
			continue;
		class = json_open_object(b, classes, NULL);
		json_add_count(b, class, metrics[M_BESIDE].key, (uint64_t)k);
		json_add_count(b, class, metrics[M_READS].key, c->count[k]);
		json_add_real(b, class, metrics[M_MEAN_S].key, c->mean_s[k]);
	}
}

/* Kinds of waits by the classes of the ledger that they add up. */
static const char *const edge_kinds[EDGE_KINDS] = {
	[EDGE_IPC] = "ipc",         [EDGE_SEND] = "send",       [EDGE_LOCK] = "lock",
	[EDGE_NETWORK] = "network", [EDGE_STORAGE] = "storage",
};

static void add_id(struct json_builder *b, json_t *row, unsigned int metric, pid_t id)
{
	if (id)
		json_add_count(b, row, metrics[metric].key, (uint64_t)id);
	else
		json_add_null(b, row, metrics[metric].key);
}

static void add_edge(struct json_builder *b, json_t *list, const struct edge_report *edge)
{
	json_t *row = json_open_object(b, list, NULL);
	json_t *blocked;

	add_id(b, row, M_WAKEE_PID, edge->wakee_pid);
	add_id(b, row, M_WAKEE_TID, edge->wakee_tid);
	add_id(b, row, M_WAKER_PID, edge->waker_pid);
	add_id(b, row, M_WAKER_TID, edge->waker_tid);
	json_add_count(b, row, metrics[M_WAITS].key, edge->waits);
	blocked = json_open_object(b, row, metrics[M_BLOCKED_S].key);
	for (int i = 0; i < EDGE_KINDS; i++)
		json_add_real(b, blocked, edge_kinds[i], duration_seconds(edge->ns[i]));
	json_add_real(b, row, metrics[M_INSIDE_S].key, duration_seconds(edge->inside_ns));
}

static void print_edge(FILE *out, const struct edge_report *edge)
{
	char blocked[32], waker[32] = "the kernel";

	if (edge->waker_tid)
		snprintf(waker, sizeof(waker), "%d", edge->waker_tid);
	fprintf(out, "  %d waited %s for %s%s, %llu times\n", edge->wakee_tid,
		duration_format(blocked, sizeof(blocked), (double)edge_blocked_ns(edge)), waker,
		edge->waker_tid && !edge->waker_pid ? " (not of the job)" : "",
		(unsigned long long)edge->waits);
}

void show_debug_json(struct json_builder *b, const struct report *report)
{
	json_t *debug = json_open_object(b, b->root, "debug");
	json_t *list = json_open_array(b, debug, "clocks");

	for (size_t i = 0; i < report->process_count; i++)
		if (report->processes[i].pid)
			add_clock(b, list, &report->processes[i]);
	list = json_open_array(b, debug, "concurrency");
	for (size_t i = 0; i < report->concurrency_count; i++)
		add_concurrency(b, list, &report->concurrency[i]);
	list = json_open_array(b, debug, "edges");
	for (size_t i = 0; i < report->edge_count; i++)
		add_edge(b, list, &report->edges[i]);
	json_add_count(b, debug, metrics[M_COMPAT_SLEEPS].key, report->compat_sleeps);
}

static void print_concurrency(FILE *out, const struct concurrency_report *c)
{
	char name[4 * sizeof(c->name)], mean[32];

	text_escape(name, sizeof(name), c->name, TEXT_PLAIN);
	fprintf(out, "  %s\n", name[0] ? name : "(not mounted)");
	for (int k = 0; k < CONCURRENCY_CLASSES; k++)
		if (c->count[k])
			fprintf(out, "    %2d%s others: %8llu reads, mean %s\n", k,
				k == CONCURRENCY_CLASSES - 1 ? "+" : " ",
				(unsigned long long)c->count[k],
				duration_format(mean, sizeof(mean), c->mean_s[k] * NS_PER_S));
}

void show_debug_text(FILE *out, const struct report *report)
{
	fprintf(out, "\nWaiting clocks\n");
	for (size_t i = 0; i < report->process_count; i++) {
		const struct process_report *p = &report->processes[i];

		if (p->pid)
			fprintf(out,
				"  %d: %.3f s%s, works for %d, %.3f s of threads on its clock\n",
				p->pid, p->clock_s, p->marked ? " inside input markers" : "",
				p->trainer_pid, duration_seconds(ledger_wall_ns(&p->waiting)));
	}
	fprintf(out, "\nLatency of reads by others in flight when they began\n");
	for (size_t i = 0; i < report->concurrency_count; i++)
		print_concurrency(out, &report->concurrency[i]);
	fprintf(out, "\nThreads that waited, and those that ended it\n");
	for (size_t i = 0; i < report->edge_count && i < DEBUG_EDGES; i++)
		print_edge(out, &report->edges[i]);
	if (report->edge_count > DEBUG_EDGES)
		fprintf(out, "  and %zu more pairs\n", report->edge_count - DEBUG_EDGES);
	if (report->compat_sleeps)
		fprintf(out, "\n%llu sleeps of 32-bit programs, whose system calls are not known\n",
			(unsigned long long)report->compat_sleeps);
}
