/* SPDX-License-Identifier: BSD-2-Clause */
/* Who works for whom: waits that one thread had and another one ended. Nanoseconds; source: bpf/edges.bpf.h. */
#ifndef WHYSTALL_MODEL_EDGES_H
#define WHYSTALL_MODEL_EDGES_H

#include "base/scratch.h"
#include "collect/sample.h"
#include "model/report.h"

/* The waits of an edge, summed over their kinds. */
uint64_t edge_blocked_ns(const struct edge_report *edge);

/* For the order of their pairs: who waited, then who ended it. */
int edge_compare_pairs(const struct edge_report *a, const struct edge_report *b);

/* Those between two samples, in the order of their pairs, of `scratch`. Returns 0 or -ENOMEM. */
int edges_between(struct edge_report **edges, size_t *count, struct scratch *scratch,
		  const struct sample *from, const struct sample *to);

#endif
