// SPDX-License-Identifier: BSD-2-Clause
#include "judge/case.h"

#include <errno.h>
#include <string.h>

#include "base/units.h"
#include "model/edges.h"

static const double least_edge = 0.002;  /* of the stretch */
static const double most_of_relay = 0.3; /* of the stretch, its own time */
static const double least_inside = 0.2;  /* of the time inside an input marker */
static const double most_sent =
	0.25; /* of what the trainer waits for a process: to get rid of something */

bool class_is_own(unsigned int class)
{
	return class != LEDGER_IPC && class != LEDGER_LOCK;
}

double wall_s(const struct loop *loop)
{
	return duration_seconds(loop->wall_ns);
}

double class_s(const struct ledger *ledger, unsigned int class)
{
	return duration_seconds(ledger_class_ns(ledger, class));
}

double own_s(const struct ledger *ledger)
{
	double sum = 0;

	for (unsigned int class = 0; class < LEDGER_CLASSES; class ++)
		if (class_is_own(class))
			sum += class_s(ledger, class);
	return sum;
}

double storage_s(const struct ledger *ledger)
{
	return duration_seconds(ledger_storage_ns(ledger));
}

double reading_s(const struct ledger *ledger)
{
	return class_s(ledger, LEDGER_STORAGE_READ) + class_s(ledger, LEDGER_STORAGE_FAULT) +
	       class_s(ledger, LEDGER_STORAGE_META) + class_s(ledger, LEDGER_NETWORK);
}

double writing_s(const struct ledger *ledger)
{
	double writing = class_s(ledger, LEDGER_STORAGE_WRITE);
	double meta = class_s(ledger, LEDGER_STORAGE_META);

	return writing > reading_s(ledger) - meta ? writing + meta : writing;
}

double fetching_s(const struct ledger *ledger)
{
	double meta = class_s(ledger, LEDGER_STORAGE_META), reading = reading_s(ledger);

	return class_s(ledger, LEDGER_STORAGE_WRITE) > reading - meta ? reading - meta : reading;
}

bool edge_is_external(const struct edge_report *edge)
{
	return edge->waker_tid && !edge->waker_pid;
}

double edge_s(const struct edge_report *edge)
{
	return duration_seconds(edge_blocked_ns(edge));
}

bool edge_counts(const struct edge_report *edge, double wall_s)
{
	return edge->waits >= RECURRING_WAITS && edge_s(edge) >= least_edge * wall_s;
}

/* `first` has room for two more than there are threads, and is 0. */
static void link_ends(const struct links *links, const ssize_t *end, size_t threads, size_t edges)
{
	for (size_t k = 0; k < edges; k++)
		if (end[k] >= 0)
			links->first[end[k] + 2]++;
	for (size_t i = 2; i < threads + 2; i++)
		links->first[i] += links->first[i - 1];
	for (size_t k = 0; k < edges; k++)
		if (end[k] >= 0)
			links->list[links->first[end[k] + 1]++] = k;
}

static bool links_alloc(struct links *links, struct scratch *scratch, const struct loop *loop)
{
	links->first = scratch_take(scratch, loop->thread_count + 2, sizeof(*links->first));
	links->list = scratch_take(scratch, loop->edge_count + 1, sizeof(*links->list));
	return links->first && links->list;
}

int ends_find(struct ends *ends, struct scratch *scratch, const struct loop *loop)
{
	*ends = (struct ends){ 0 };
	ends->wakee = scratch_take(scratch, loop->edge_count + 1, sizeof(*ends->wakee));
	ends->waker = scratch_take(scratch, loop->edge_count + 1, sizeof(*ends->waker));
	if (!links_alloc(&ends->by_wakee, scratch, loop) ||
	    !links_alloc(&ends->by_waker, scratch, loop) || !ends->wakee || !ends->waker)
		return -ENOMEM;
	for (size_t k = 0; k < loop->edge_count; k++) {
		ends->wakee[k] = loop_find_thread(loop, loop->edges[k].wakee_tid);
		ends->waker[k] = loop_find_thread(loop, loop->edges[k].waker_tid);
	}
	link_ends(&ends->by_wakee, ends->wakee, loop->thread_count, loop->edge_count);
	link_ends(&ends->by_waker, ends->waker, loop->thread_count, loop->edge_count);
	return 0;
}

static bool is_trainers(const struct case_file *c, size_t thread)
{
	return c->loop->threads[thread].pid == c->process->pid;
}

static const struct loop_process *process_of(const struct case_file *c, size_t thread)
{
	return loop_find_process(c->loop, c->loop->threads[thread].pid);
}

/* Which edges a walk follows. */
typedef bool follow_fn(const struct case_file *c, const struct edge_report *edge);

static bool follow_all(const struct case_file *c, const struct edge_report *edge)
{
	return edge_counts(edge, c->wall_s);
}

/* Whoever takes something off a thread's hands ends a wait of it, and makes nothing for it. */
static bool follow_getting(const struct case_file *c, const struct edge_report *edge)
{
	return edge_counts(edge, c->wall_s) && edge->ns[EDGE_SEND] < edge_blocked_ns(edge) / 2;
}

/*
 * Mark threads from the first `count` in `todo` on, which are marked: along their waits to who ends them (by_wakee), or
 * from who ends a wait to who had it. Not through the trainer's loop. `within`: only these; NULL: all.
 */
static void spread(const struct case_file *c, const struct links *links, const ssize_t *to,
		   bool *marked, const bool *within, size_t count, follow_fn *follow)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = links->first[c->todo[i]]; k < links->first[c->todo[i] + 1]; k++) {
			size_t edge = links->list[k];
			ssize_t next = to[edge];

			if (next < 0 || marked[next] || (within && !within[next]) ||
			    &c->loop->threads[next] == c->thread ||
			    !follow(c, &c->loop->edges[edge]))
				continue;
			marked[next] = true;
			c->todo[count++] = (size_t)next;
		}
}

static void forget_seen(const struct case_file *c)
{
	memset(c->seen, 0, (c->loop->thread_count + 1) * sizeof(*c->seen));
}

/* Mark all threads that the trainer's waits lead to, and that its own work wakes. */
static void reach(const struct case_file *c)
{
	c->todo[0] = (size_t)(c->thread - c->loop->threads);
	spread(c, &c->ends.by_wakee, c->ends.waker, c->reached, NULL, 1, follow_getting);
	spread(c, &c->ends.by_waker, c->ends.wakee, c->seen, NULL, 1, follow_all);
	for (size_t i = 0; i < c->loop->thread_count; i++)
		c->reached[i] = c->reached[i] || c->seen[i];
	forget_seen(c);
}

static bool works_for(const struct loop_process *p, pid_t trainer)
{
	return p && p->pid != trainer && p->trainer_pid == trainer;
}

/* Other processes with workers of their own: ranks of the same training, say. */
static void find_peers(const struct case_file *c)
{
	const struct loop *loop = c->loop;

	for (size_t i = 0; i < loop->process_count; i++) {
		const struct loop_process *boss =
			loop_find_process(loop, loop->processes[i].trainer_pid);

		if (boss && boss != &loop->processes[i])
			c->peer[boss - loop->processes] = true;
	}
	for (size_t i = 0; i < loop->process_count; i++)
		if (works_for(&loop->processes[i], c->process->pid))
			c->peer[i] = false;
}

/* What it makes is an output. */
static bool writes(const struct loop_thread *t)
{
	return writing_s(&t->all) > own_s(&t->all) / 2;
}

/* What passed between the trainer's process and another one, by what each waited for the other. */
struct flow {
	double sent, got;     /* the trainer waited: to get rid of something, to get something */
	double handed, asked; /* the other one did */
};

static void add_flow(const struct case_file *c, struct flow *flows, const struct edge_report *e)
{
	double send = duration_seconds(e->ns[EDGE_SEND]);
	bool trainers = e->wakee_pid == c->process->pid;
	const struct loop_process *other = trainers ? loop_find_process(c->loop, e->waker_pid) :
					   e->waker_pid == c->process->pid ?
						      loop_find_process(c->loop, e->wakee_pid) :
						      NULL;
	struct flow *flow;

	if (!other || other == c->process)
		return;
	flow = &flows[other - c->loop->processes];
	if (trainers) {
		flow->sent += send;
		flow->got += edge_s(e) - send;
	} else {
		/* A lock that is let go of may stand for room in a queue. */
		flow->handed += send + duration_seconds(e->ns[EDGE_LOCK]);
		flow->asked += duration_seconds(e->ns[EDGE_IPC]);
	}
}

/*
 * What goes from the trainer's process to another one, and never back: the trainer waits for it only to get rid of
 * something, if at all; or it waits for the trainer to get something, and nobody waits for it.
 */
static int find_takers(const struct case_file *c, struct scratch *scratch)
{
	const struct loop *loop = c->loop;
	struct flow *flows = scratch_take(scratch, loop->process_count + 1, sizeof(*flows));

	if (!flows)
		return -ENOMEM;
	for (size_t k = 0; k < loop->edge_count; k++)
		add_flow(c, flows, &loop->edges[k]);
	for (size_t i = 0; i < loop->process_count; i++)
		c->takes[i] = flows[i].handed <= most_sent * flows[i].sent &&
			      (flows[i].sent > most_sent * flows[i].got ||
			       (flows[i].asked > 0 && flows[i].got + flows[i].handed <= 0));
	return 0;
}

static bool makes_input_outside(const struct case_file *c, size_t thread)
{
	const struct loop_process *p = process_of(c, thread);

	return p && p->pid != c->process->pid && !c->peer[p - c->loop->processes] &&
	       !c->takes[p - c->loop->processes] && !writes(&c->loop->threads[thread]);
}

/* As often as the trainer waits for it, it waits for the trainer. */
static bool answers(const struct case_file *c, size_t thread)
{
	uint64_t asked = 0, answered = 0;

	for (size_t k = c->ends.by_waker.first[thread]; k < c->ends.by_waker.first[thread + 1];
	     k++) {
		const struct edge_report *edge = &c->loop->edges[c->ends.by_waker.list[k]];

		answered += edge->wakee_tid == c->thread->tid ? edge->waits : 0;
	}
	for (size_t k = c->ends.by_wakee.first[thread]; k < c->ends.by_wakee.first[thread + 1];
	     k++) {
		const struct edge_report *edge = &c->loop->edges[c->ends.by_wakee.list[k]];

		asked += edge->waker_tid == c->thread->tid ? edge->waits : 0;
	}
	return 2 * asked >= answered;
}

static bool reads(const struct case_file *c, size_t thread)
{
	return reading_s(&c->loop->threads[thread].all) > LEAST_BUSY * c->wall_s;
}

/* The network may be that of the step: a collective's thread is asked each time. */
static bool reads_files(const struct case_file *c, size_t thread)
{
	const struct ledger *all = &c->loop->threads[thread].all;

	return reading_s(all) - class_s(all, LEDGER_NETWORK) > LEAST_BUSY * c->wall_s;
}

static enum part part_of(const struct case_file *c, size_t thread, bool outside, bool inside,
			 bool any_outside)
{
	const struct loop_thread *t = &c->loop->threads[thread];
	const struct loop_process *p = process_of(c, thread);

	if (!is_trainers(c, thread)) {
		if (p && c->takes[p - c->loop->processes])
			return PART_TAKES;
		return outside ? PART_OUTSIDE : PART_UNCLEAR;
	}
	/* One that passes input on has little to do itself; else it may be the loop, and the trainer's thread only looks on. */
	if (outside)
		return own_s(&t->all) < most_of_relay * c->wall_s ? PART_OUTSIDE : PART_UNCLEAR;
	if (inside)
		return PART_INSIDE;
	/* One that is asked each time and waits for the network: a collective's, if others make input. */
	if (reads(c, thread))
		return any_outside ? PART_STEP : PART_UNCLEAR;
	return answers(c, thread) ? PART_STEP : PART_UNCLEAR;
}

/*
 * Of the threads that were reached, those of other processes make input, and those that wait for one of these pass it on;
 * so do those that read, and wait for one that reads, in the trainer's own. The others of its process take part in its step, or
 * it is not clear.
 */
static int find_parts(const struct case_file *c, struct scratch *scratch)
{
	const struct loop *loop = c->loop;
	bool *inside = scratch_take(scratch, loop->thread_count + 1, sizeof(*inside));
	bool *outside = c->seen, any_outside;
	size_t count = 0;

	if (!inside)
		return -ENOMEM;
	for (size_t i = 0; i < loop->thread_count; i++) {
		outside[i] = c->reached[i] && makes_input_outside(c, i);
		if (outside[i])
			c->todo[count++] = i;
	}
	any_outside = count > 0;
	spread(c, &c->ends.by_waker, c->ends.wakee, outside, c->reached, count, follow_getting);
	count = 0;
	for (size_t i = 0; i < loop->thread_count; i++) {
		inside[i] = c->reached[i] && is_trainers(c, i) && !outside[i] &&
			    (reads_files(c, i) || (reads(c, i) && !answers(c, i)));
		if (inside[i])
			c->todo[count++] = i;
	}
	spread(c, &c->ends.by_waker, c->ends.wakee, inside, c->reached, count, follow_getting);
	for (size_t i = 0; i < loop->thread_count; i++)
		if (c->reached[i])
			c->part[i] = part_of(c, i, outside[i], inside[i], any_outside);
	return 0;
}

/* Does it work while the trainer's process is inside a marker? Where nothing is made ahead the one that is inside does. */
static bool works_inside(const struct case_file *c, size_t thread)
{
	const struct ledger *waiting = &c->loop->threads[thread].waiting;

	return own_s(waiting) - class_s(waiting, LEDGER_SLEEP) > least_inside * c->clock_s;
}

/*
 * With an input marker: whoever ends waits inside of it makes input, and whom these wait for. Nothing else does, whatever the
 * loop waits for.
 */
static void find_marked_parts(const struct case_file *c)
{
	const struct loop *loop = c->loop;
	size_t count = 0;

	forget_seen(c);
	for (size_t k = 0; k < loop->edge_count; k++) {
		ssize_t wakee = c->ends.wakee[k], waker = c->ends.waker[k];

		if (wakee < 0 || waker < 0 || !loop->edges[k].inside_ns || c->seen[waker] ||
		    !is_trainers(c, (size_t)wakee))
			continue;
		c->seen[waker] = true;
		c->todo[count++] = (size_t)waker;
	}
	spread(c, &c->ends.by_wakee, c->ends.waker, c->seen, NULL, count, follow_getting);
	for (size_t i = 0; i < loop->thread_count; i++) {
		const struct loop_process *p = process_of(c, i);
		bool busy = is_trainers(c, i) && (reads(c, i) || works_inside(c, i));

		if (p && (c->seen[i] || busy))
			c->part[i] = is_trainers(c, i)            ? PART_INSIDE :
				     c->peer[p - loop->processes] ? PART_UNCLEAR :
								    PART_OUTSIDE;
		c->reached[i] = c->part[i] != PART_NONE;
	}
}

bool case_is_input(const struct case_file *c, size_t thread)
{
	return c->part[thread] == PART_OUTSIDE || c->part[thread] == PART_INSIDE;
}

bool case_is_sibling(const struct case_file *c, size_t thread)
{
	const struct loop_thread *t = &c->loop->threads[thread];

	/* Where it is presumed who works, nobody else does. */
	return !c->loop->looks && t->tid == t->pid && c->part[thread] == PART_NONE &&
	       works_for(process_of(c, thread), c->process->pid) && makes_input_outside(c, thread);
}

double case_waited_s(const struct case_file *c, enum part part)
{
	size_t trainer = (size_t)(c->thread - c->loop->threads);
	double sum = 0;

	for (size_t k = c->ends.by_wakee.first[trainer]; k < c->ends.by_wakee.first[trainer + 1];
	     k++) {
		size_t edge = c->ends.by_wakee.list[k];
		ssize_t waker = c->ends.waker[edge];

		if (waker >= 0 && c->part[waker] == part)
			sum += edge_s(&c->loop->edges[edge]) -
			       duration_seconds(c->loop->edges[edge].ns[EDGE_SEND]);
	}
	return sum;
}

int case_open(struct case_file *c, struct scratch *scratch, const struct loop *loop, pid_t trainer,
	      pid_t tid)
{
	ssize_t at = loop_find_thread(loop, tid);

	*c = (struct case_file){ .loop = loop,
				 .process = loop_find_process(loop, trainer),
				 .wall_s = wall_s(loop) };
	c->reached = scratch_take(scratch, loop->thread_count + 1, sizeof(*c->reached));
	c->part = scratch_take(scratch, loop->thread_count + 1, sizeof(*c->part));
	c->peer = scratch_take(scratch, loop->process_count + 1, sizeof(*c->peer));
	c->takes = scratch_take(scratch, loop->process_count + 1, sizeof(*c->takes));
	c->seen = scratch_take(scratch, loop->thread_count + 1, sizeof(*c->seen));
	c->todo = scratch_take(scratch, loop->thread_count + 1, sizeof(*c->todo));
	if (!c->reached || !c->part || !c->peer || !c->takes || !c->seen || !c->todo ||
	    ends_find(&c->ends, scratch, loop))
		return -ENOMEM;
	if (!c->process || at < 0 || loop->threads[at].pid != trainer)
		return 0;
	c->thread = &loop->threads[at];
	c->clock_s = duration_seconds(c->process->clock_ns);
	find_peers(c);
	if (find_takers(c, scratch))
		return -ENOMEM;
	if (c->process->marked) {
		find_marked_parts(c);
		return 0;
	}
	reach(c);
	return find_parts(c, scratch);
}
