// SPDX-License-Identifier: BSD-2-Clause
#include "model/edges.h"

#include <errno.h>
#include <stdlib.h>

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

static int by_blocked(const void *a, const void *b)
{
	const struct edge_report *x = a, *y = b;
	int order = compare_numbers(edge_blocked_ns(y), edge_blocked_ns(x));

	return order ? order : edge_compare_pairs(x, y);
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

int edges_between(struct edge_report **edges, size_t *count, const struct sample *from,
		  const struct sample *to)
{
	const struct edge_sample **before = calloc(from->edge_count + 1, sizeof(void *));

	*count = 0;
	*edges = calloc(to->edge_count + 1, sizeof(**edges));
	if (!before || !*edges) {
		free((void *)before);
		return -ENOMEM;
	}
	for (size_t i = 0; i < from->edge_count; i++)
		before[i] = &from->edges[i];
	qsort((void *)before, from->edge_count, sizeof(void *), by_key);
	for (size_t i = 0; i < to->edge_count; i++) {
		const struct edge_sample *now = &to->edges[i];
		const struct edge_sample **then = bsearch((const void *)&now, (const void *)before,
							  from->edge_count, sizeof(void *), by_key);

		subtract(&(*edges)[*count], now, then ? *then : NULL);
		if ((*edges)[*count].waits)
			++*count;
	}
	qsort(*edges, *count, sizeof(**edges), by_blocked);
	free((void *)before);
	return 0;
}
