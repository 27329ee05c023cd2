// SPDX-License-Identifier: BSD-2-Clause
#include "model/edges.h"

#include <errno.h>

#include "base/order.h"

uint64_t edge_blocked_ns(const struct edge_report *edge)
{
	uint64_t sum = 0;

	for (int i = 0; i < EDGE_KINDS; i++)
		sum += edge->ns[i];
	return sum;
}

int edge_compare_pairs(const struct edge_report *a, const struct edge_report *b)
{
	int order = compare_numbers((uint64_t)a->wakee_tid, (uint64_t)b->wakee_tid);

	return order ? order : compare_numbers((uint64_t)a->waker_tid, (uint64_t)b->waker_tid);
}

static int by_key(const void *a, const void *b)
{
	const struct edge_sample *const *x = a, *const *y = b;
	int order = compare_numbers((*x)->key.wakee_tid, (*y)->key.wakee_tid);

	return order ? order : compare_numbers((*x)->key.waker_tid, (*y)->key.waker_tid);
}

static void subtract(struct edge_report *edge, const struct edge_sample *now,
		     const struct edge_sample *then)
{
	edge->wakee_tid = (pid_t)now->key.wakee_tid;
	edge->waker_tid = (pid_t)now->key.waker_tid;
	edge->wakee_pid = (pid_t)now->edge.wakee_pid;
	edge->waker_process = (pid_t)now->edge.waker_pid;
	edge->waker_pid = now->edge.waker_outside ? 0 : edge->waker_process;
	for (int i = 0; i < EDGE_KINDS; i++)
		edge->ns[i] = now->edge.ns[i] - (then ? then->edge.ns[i] : 0);
	edge->inside_ns = now->edge.inside_ns - (then ? then->edge.inside_ns : 0);
	edge->waits = now->edge.waits - (then ? then->edge.waits : 0);
}

/* Where the edges of a sample are, in the order of their keys; NULL when out of memory. */
static const struct edge_sample **sort_edges(struct scratch *scratch, const struct sample *sample)
{
	const struct edge_sample **sorted =
		scratch_take(scratch, sample->edge_count + 1, sizeof(void *));

	for (size_t i = 0; sorted && i < sample->edge_count; i++)
		sorted[i] = &sample->edges[i];
	if (sorted)
		sort_in_place((void *)sorted, sample->edge_count, sizeof(void *), by_key);
	return sorted;
}

int edges_between(struct edge_report **edges, size_t *count, struct scratch *scratch,
		  const struct sample *from, const struct sample *to)
{
	const struct edge_sample **before = sort_edges(scratch, from);
	const struct edge_sample **after = sort_edges(scratch, to);
	size_t then = 0;

	*count = 0;
	*edges = scratch_take(scratch, to->edge_count + 1, sizeof(**edges));
	if (!before || !after || !*edges)
		return -ENOMEM;
	for (size_t now = 0; now < to->edge_count; now++) {
		while (then < from->edge_count && by_key(&before[then], &after[now]) < 0)
			then++;
		subtract(&(*edges)[*count], after[now],
			 then < from->edge_count && by_key(&before[then], &after[now]) == 0 ?
				 before[then] :
				 NULL);
		if ((*edges)[*count].waits)
			++*count;
	}
	return 0;
}
