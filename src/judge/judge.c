// SPDX-License-Identifier: BSD-2-Clause
#include "judge/judge.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/units.h"
#include "model/edges.h"

/* The limits of the TensorFlow Profiler are 5 and 20 %. */
static const double least_input_bound = 0.05;
static const double least_busy = 0.05;    /* of the steady part, for a producer */
static const double least_edge = 0.002;   /* of the steady part */
static const double most_of_relay = 0.3;  /* of the steady part, its own time */
static const double critical_share = 0.9; /* of the busiest producer */
static const double least_blame = 0.6;    /* for a class of its own */
static const double least_told = 0.7;  /* of the trainer's waits, ended by those who make input */
static const double least_lost = 0.5;  /* of the shorter side, for taking turns */
static const double least_side = 0.25; /* of the loop, for the shorter side */
static const double shortest_s = 2;
static const uint64_t fewest_waits = 10;

enum { RECURRING_WAITS = 2, FEWEST_STRETCHES = 6 };

static enum verdict_class blame_class(unsigned int class)
{
	switch (class) {
	case LEDGER_CPU:
		return CLASS_CPU;
	case LEDGER_RUNQUEUE:
		return CLASS_RUNQUEUE;
	case LEDGER_STORAGE_READ:
	case LEDGER_STORAGE_WRITE:
	case LEDGER_STORAGE_META:
	case LEDGER_STORAGE_FAULT:
		return CLASS_STORAGE;
	case LEDGER_NETWORK:
		return CLASS_NETWORK;
	case LEDGER_GPU:
		return CLASS_GPU;
	case LEDGER_SLEEP:
		return CLASS_SLEEP;
	default:
		return CLASS_OTHER;
	}
}

/* A thread's own time: not that in which it waits for another one. */
static bool is_own(unsigned int class)
{
	return class != LEDGER_IPC && class != LEDGER_LOCK;
}

static double own_s(const struct ledger *ledger)
{
	uint64_t ns = 0;

	for (unsigned int class = 0; class < LEDGER_CLASSES; class ++)
		if (is_own(class))
			ns += ledger_class_ns(ledger, class);
	return duration_seconds(ns);
}

static double class_s(const struct ledger *ledger, unsigned int class)
{
	return duration_seconds(ledger_class_ns(ledger, class));
}

/* Edges by the thread at one end: those of thread i are list[first[i]] to list[first[i + 1] - 1]. */
struct links {
	size_t *first;
	size_t *list;
};

/* What a thread does for the trainer. */
enum part {
	PART_NONE,
	PART_OUTSIDE, /* makes input in another process, or waits for one that does */
	PART_INSIDE,  /* reads in the trainer's own process */
	PART_STEP, /* takes part in the step: each time the trainer waits for it, it waits for the trainer */
	PART_UNCLEAR, /* ends waits of the trainer, for whatever */
};

/* What the rules below are about. */
struct case_file {
	const struct loop *loop;
	pid_t trainer;
	double wall_s, clock_s;
	const struct loop_thread *thread; /* the trainer's first one */
	ssize_t *wakee, *waker;           /* of each edge: the thread's index; -1: not of the job */
	struct links by_wakee, by_waker;
	bool *reached;   /* by index of loop->threads */
	enum part *part; /* likewise */
	bool *peer;      /* by index of loop->processes: it has workers of its own */
	bool *marked;    /* like `reached`, for one walk at a time */
	size_t *todo;    /* room for as many threads */
};

/* loop->threads is in the order of IDs. */
static ssize_t find_thread(const struct loop *loop, pid_t tid)
{
	size_t low = 0, high = loop->thread_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (loop->threads[middle].tid < tid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < loop->thread_count && loop->threads[low].tid == tid ? (ssize_t)low : -1;
}

static double edge_s(const struct edge_report *edge)
{
	return duration_seconds(edge_blocked_ns(edge));
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

static bool counts(const struct case_file *c, const struct edge_report *edge)
{
	return edge->waits >= RECURRING_WAITS && edge_s(edge) >= least_edge * c->wall_s;
}

/*
 * Mark threads from the first `count` in `todo` on, which are marked: along their waits to who ends them (by_wakee), or
 * from who ends a wait to who had it. Not through the trainer. `within`: only these; NULL: all.
 */
static void spread(const struct case_file *c, const struct links *links, const ssize_t *to,
		   bool *marked, const bool *within, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = links->first[c->todo[i]]; k < links->first[c->todo[i] + 1]; k++) {
			size_t edge = links->list[k];
			ssize_t next = to[edge];

			if (next < 0 || marked[next] || (within && !within[next]) ||
			    &c->loop->threads[next] == c->thread ||
			    !counts(c, &c->loop->edges[edge]))
				continue;
			marked[next] = true;
			c->todo[count++] = (size_t)next;
		}
}

/* Mark all threads that the trainer's waits lead to, and that its own work wakes. */
static void reach(const struct case_file *c)
{
	c->todo[0] = (size_t)(c->thread - c->loop->threads);
	spread(c, &c->by_wakee, c->waker, c->reached, NULL, 1);
	spread(c, &c->by_waker, c->wakee, c->marked, NULL, 1);
	for (size_t i = 0; i < c->loop->thread_count; i++)
		c->reached[i] = c->reached[i] || c->marked[i];
}

static bool is_worker(const struct loop *loop, pid_t pid, pid_t trainer)
{
	const struct loop_process *p = pid != trainer ? loop_find_process(loop, pid) : NULL;

	return p && p->trainer_pid == trainer;
}

static double storage_s(const struct ledger *ledger)
{
	return duration_seconds(ledger_storage_ns(ledger));
}

static double reading_s(const struct ledger *ledger)
{
	return class_s(ledger, LEDGER_STORAGE_READ) + class_s(ledger, LEDGER_STORAGE_FAULT) +
	       class_s(ledger, LEDGER_NETWORK);
}

static bool reads(const struct case_file *c, const struct loop_thread *t)
{
	return reading_s(&t->all) + class_s(&t->all, LEDGER_STORAGE_META) > least_busy * c->wall_s;
}

/* What it makes is an output. */
static bool writes(const struct loop_thread *t)
{
	double writing = class_s(&t->all, LEDGER_STORAGE_WRITE);

	return writing > reading_s(&t->all) &&
	       writing + class_s(&t->all, LEDGER_STORAGE_META) > own_s(&t->all) / 2;
}

/* Other processes that workers of their own hand something over to: ranks of the same training, say. */
static void find_peers(const struct case_file *c)
{
	const struct loop *loop = c->loop;

	for (size_t k = 0; k < loop->edge_count; k++)
		for (int turn = 0; turn < 2; turn++) {
			ssize_t one = turn ? c->waker[k] : c->wakee[k];
			ssize_t other = turn ? c->wakee[k] : c->waker[k];
			const struct loop_process *p;

			if (one < 0 || other < 0 ||
			    loop->threads[one].tid != loop->threads[one].pid ||
			    !counts(c, &loop->edges[k]))
				continue;
			p = loop_find_process(loop, loop->threads[one].pid);
			if (p && is_worker(loop, loop->threads[other].pid, p->pid))
				c->peer[p - loop->processes] = true;
		}
}

static bool makes_input_outside(const struct case_file *c, const struct loop_thread *t)
{
	const struct loop_process *p = loop_find_process(c->loop, t->pid);

	return t->pid != c->trainer && p && !c->peer[p - c->loop->processes] && !writes(t);
}

/* As often as the trainer waits for it, it waits for the trainer. */
static bool answers(const struct case_file *c, size_t thread)
{
	uint64_t asked = 0, answered = 0;

	for (size_t k = c->by_waker.first[thread]; k < c->by_waker.first[thread + 1]; k++) {
		const struct edge_report *edge = &c->loop->edges[c->by_waker.list[k]];

		answered += edge->wakee_tid == c->trainer ? edge->waits : 0;
	}
	for (size_t k = c->by_wakee.first[thread]; k < c->by_wakee.first[thread + 1]; k++) {
		const struct edge_report *edge = &c->loop->edges[c->by_wakee.list[k]];

		asked += edge->waker_tid == c->trainer ? edge->waits : 0;
	}
	return 2 * asked >= answered;
}

static enum part part_of(const struct case_file *c, size_t thread, bool outside)
{
	const struct loop_thread *t = &c->loop->threads[thread];

	if (t->pid != c->trainer)
		return outside ? PART_OUTSIDE : PART_UNCLEAR;
	/* One that passes input on has little to do itself; else it may be the loop, and the trainer's first thread only looks on. */
	if (outside)
		return own_s(&t->all) < most_of_relay * c->wall_s ? PART_OUTSIDE : PART_UNCLEAR;
	if (reads(c, t))
		return PART_INSIDE;
	return answers(c, thread) ? PART_STEP : PART_UNCLEAR;
}

/*
 * Of the threads that were reached, those of other processes make input, and those that wait for one of these pass it on. The
 * others of the trainer's process read input, or take part in its step, or it is not clear.
 */
static void find_parts(const struct case_file *c)
{
	const struct loop *loop = c->loop;
	bool *outside = c->marked;
	size_t count = 0;

	find_peers(c);
	for (size_t i = 0; i < loop->thread_count; i++) {
		outside[i] = c->reached[i] && makes_input_outside(c, &loop->threads[i]);
		if (outside[i])
			c->todo[count++] = i;
	}
	spread(c, &c->by_waker, c->wakee, outside, c->reached, count);
	for (size_t i = 0; i < loop->thread_count; i++)
		if (c->reached[i])
			c->part[i] = part_of(c, i, outside[i]);
}

static bool is_input(const struct case_file *c, size_t thread)
{
	return c->part[thread] == PART_OUTSIDE || c->part[thread] == PART_INSIDE;
}

/* How long the trainer waited for what such threads ended. */
static double waited_for(const struct case_file *c, enum part part)
{
	double sum = 0;

	for (size_t i = 0; i < c->loop->edge_count; i++) {
		const struct edge_report *edge = &c->loop->edges[i];

		if (edge->wakee_tid == c->trainer && c->waker[i] >= 0 &&
		    c->part[c->waker[i]] == part)
			sum += edge_s(edge);
	}
	return sum;
}

static int by_clock(const void *a, const void *b)
{
	const struct producer *x = a, *y = b;

	return (x->on_clock_s < y->on_clock_s) - (x->on_clock_s > y->on_clock_s);
}

static void add_producer(struct verdict *v, const struct loop_thread *t)
{
	struct producer *p = &v->producers[v->producer_count++];

	*p = (struct producer){ .tid = t->tid, .pid = t->pid, .busy_s = own_s(&t->all) };
	for (unsigned int class = 0; class < LEDGER_CLASSES; class ++) {
		double s = class_s(&t->waiting, class);

		if (!is_own(class))
			continue;
		p->blame_s[blame_class(class)] += s;
		p->on_clock_s += s;
	}
}

/* Busy threads that make input, and siblings of these in other processes. */
static void find_producers(struct verdict *v, const struct case_file *c)
{
	const struct loop *loop = c->loop;
	bool outside = false;

	for (size_t i = 0; i < loop->thread_count; i++)
		outside = outside || c->part[i] == PART_OUTSIDE;
	for (size_t i = 0; i < loop->thread_count; i++) {
		const struct loop_thread *t = &loop->threads[i];
		bool sibling = outside && t->tid == t->pid && is_worker(loop, t->pid, c->trainer) &&
			       makes_input_outside(c, t);

		if (t->tid != c->trainer && (is_input(c, i) || sibling) &&
		    own_s(&t->all) > least_busy * c->wall_s)
			add_producer(v, t);
	}
	if (v->producer_count)
		qsort(v->producers, v->producer_count, sizeof(*v->producers), by_clock);
}

/* Waits of a thread that others ended, and of others that it ended: batches handed over. */
static uint64_t waits_of(const struct loop *loop, pid_t tid)
{
	uint64_t waits = 0;

	for (size_t i = 0; i < loop->edge_count; i++)
		if (loop->edges[i].wakee_tid == tid || loop->edges[i].waker_tid == tid)
			waits += loop->edges[i].waits;
	return waits;
}

static enum verdict_class largest_blame(const struct verdict *v)
{
	int largest = 0;

	for (int class = 1; class < BLAME_CLASSES; class ++)
		if (v->blame_pct[class] > v->blame_pct[largest])
			largest = class;
	return v->blame_pct[largest] > 100 * least_blame ? (enum verdict_class)largest :
							   CLASS_MIXED;
}

/* By what the critical producers did on the clock; `idle`: the part in which not even they worked, the pipeline's. */
static void share_blame(struct verdict *v, double idle)
{
	double mix[BLAME_CLASSES] = { 0 }, sum = 0;

	for (size_t i = 0; i < v->producer_count; i++)
		for (int class = 0; v->producers[i].critical && class < BLAME_CLASSES; class ++) {
			mix[class] += v->producers[i].blame_s[class];
			sum += v->producers[i].blame_s[class];
		}
	for (int class = 0; class < BLAME_CLASSES; class ++)
		v->blame_pct[class] = sum > 0 ? 100 * (1 - idle) * mix[class] / sum : 0;
	v->blame_pct[CLASS_PIPELINE] += sum > 0 ? 100 * idle : 100;
}

/*
 * When no producer worked is not seen, only how long each did. It is at most what the busiest left, at least what all together
 * left (they may have worked one after another: workers that are replaced, or share a lock). The blame is right if both
 * give the same class; returns whether they do.
 */
static bool blame(struct verdict *v)
{
	double top = v->producers[0].on_clock_s, all = 0;
	enum verdict_class least;

	for (size_t i = 0; i < v->producer_count; i++) {
		v->producers[i].critical = v->producers[i].on_clock_s >= critical_share * top;
		all += v->producers[i].on_clock_s;
	}
	share_blame(v, 1 - fmin(1, all / v->waited_s));
	least = largest_blame(v);
	share_blame(v, 1 - fmin(1, top / v->waited_s));
	v->class = largest_blame(v);
	return v->class == least;
}

/* Two sides near balance cost 9 % more than the larger one alone. */
static double soft_max(double a, double b)
{
	double top = fmax(a, b);

	return top > 0 ? top * pow(pow(a / top, 8) + pow(b / top, 8), 0.125) : 0;
}

/*
 * An interpreter's lock: threads of one process that each run and each wait for a lock, and together are one processor
 * busy. Returns how long that was.
 */
static double interpreter_lock_s(const struct case_file *c, pid_t pid)
{
	double cpu = 0;
	int threads = 0;

	for (size_t i = 0; i < c->loop->thread_count; i++) {
		const struct loop_thread *t = &c->loop->threads[i];

		if (t->pid != pid || class_s(&t->all, LEDGER_CPU) <= least_busy * c->wall_s ||
		    class_s(&t->all, LEDGER_LOCK) <= least_busy * c->wall_s)
			continue;
		cpu += class_s(&t->all, LEDGER_CPU);
		threads++;
	}
	return threads >= 2 && cpu >= 0.85 * c->wall_s && cpu <= 1.08 * c->wall_s ? cpu : 0;
}

/* How long the producers need for what they made, if nothing held them up. */
static double producing_s(const struct verdict *v)
{
	double longest = 0, all = 0, on_clock = 0, at_once;

	for (size_t i = 0; i < v->producer_count; i++) {
		longest = fmax(longest, v->producers[i].busy_s);
		all += v->producers[i].busy_s;
		on_clock += v->producers[i].on_clock_s;
	}
	if (!v->producer_count || v->producers[0].on_clock_s >= critical_share * v->waited_s)
		return longest;
	at_once = fmax(1, on_clock / v->waited_s);
	return fmin(v->steady_s, all / at_once);
}

/*
 * How much of the shorter side the loop took longer than its longer side alone. 0: they overlap, 1: they take turns. 0 too
 * where the shorter side is short: there is not much to win.
 */
static double overlap_lost(const struct verdict *v, const struct case_file *c, double cpus)
{
	double step = v->steady_s - v->waited_s, make = producing_s(v), cpu = 0, least, lost;

	for (size_t i = 0; i < c->loop->thread_count; i++)
		cpu += class_s(&c->loop->threads[i].all, LEDGER_CPU);
	least = soft_max(step, fmax(make, cpu / cpus));
	lost = fmin(fmin(step, make), v->steady_s - least);
	return fmin(step, make) > least_side * v->steady_s && lost > 0 ? lost / fmin(step, make) :
									 0;
}

static void unknown(struct verdict *v, enum verdict_reason reason)
{
	v->class = CLASS_UNKNOWN;
	v->reason = reason;
	v->confidence = CONFIDENCE_LOW;
}

/* The trainer's own time outweighs its waits. */
static bool own_cause(struct verdict *v, const struct case_file *c)
{
	double writing = class_s(&c->thread->all, LEDGER_STORAGE_WRITE) +
			 class_s(&c->thread->all, LEDGER_STORAGE_META);
	double queued = class_s(&c->thread->all, LEDGER_RUNQUEUE);
	double limit = fmax(v->waited_s, least_input_bound * v->steady_s);

	if (writing > limit)
		v->class = CLASS_CHECKPOINT;
	else if (queued > limit)
		v->class = CLASS_RUNQUEUE;
	else
		return false;
	return true;
}

/* Threads of its own process end waits, and what they are for is not clear. */
static bool unclear_inside(const struct case_file *c)
{
	for (size_t i = 0; i < c->loop->thread_count; i++)
		if (c->part[i] == PART_UNCLEAR && c->loop->threads[i].pid == c->trainer)
			return true;
	return false;
}

static void set_confidence(struct verdict *v, double told)
{
	v->confidence = v->steady_s < 5 || told < 0.85  ? CONFIDENCE_LOW :
			v->steady_s < 10 || told < 0.95 ? CONFIDENCE_MEDIUM :
							  CONFIDENCE_HIGH;
}

static void decide_by_blame(struct verdict *v, const struct case_file *c, double cpus)
{
	bool sure = blame(v);

	v->overlap_lost = overlap_lost(v, c, cpus);
	if (v->overlap_lost >= least_lost)
		v->class = CLASS_PIPELINE;
	else if (!sure)
		unknown(v, REASON_APART);
}

static void decide(struct verdict *v, const struct case_file *c, double cpus)
{
	double outside_s = waited_for(c, PART_OUTSIDE), inside_s = waited_for(c, PART_INSIDE);
	double step_s = waited_for(c, PART_STEP), unclear_s = waited_for(c, PART_UNCLEAR);
	double own_reads_s = reading_s(&c->thread->all);
	double waited_s = class_s(&c->thread->all, LEDGER_IPC) +
			  class_s(&c->thread->all, LEDGER_LOCK) - step_s;
	double told = waited_s > 0 ? fmin(1, (outside_s + inside_s) / waited_s) : 1;

	find_producers(v, c);
	/* The clock runs in its own reads too, and in waits for its own threads: not what others do for it. */
	v->waited_s = fmax(0, fmin(c->clock_s, c->wall_s) - storage_s(&c->thread->waiting) -
				      class_s(&c->thread->waiting, LEDGER_NETWORK) - step_s);
	v->input_bound_pct = 100 * v->waited_s / c->wall_s;
	set_confidence(v, told);
	if (interpreter_lock_s(c, c->trainer) > 0)
		unknown(v, REASON_SAME_LOCK);
	else if (own_reads_s > fmax(v->waited_s, least_input_bound * v->steady_s))
		unknown(v, REASON_OWN_READS);
	else if (own_cause(v, c))
		;
	else if (v->input_bound_pct < 100 * least_input_bound)
		v->class = CLASS_NOT_INPUT_BOUND;
	else if (duration_seconds(c->loop->ended_ns) > least_busy * c->wall_s)
		unknown(v, REASON_ENDED);
	else if (inside_s + (told < least_told ? unclear_s : 0) > (1 - least_told) * waited_s)
		unknown(v,
			inside_s > 0 || unclear_inside(c) ? REASON_SAME_PROCESS : REASON_UNCLEAR);
	else if (!v->producer_count)
		unknown(v, REASON_NO_INPUT);
	else if (told < least_told)
		unknown(v, REASON_UNCLEAR);
	else
		decide_by_blame(v, c, cpus);
}

static void case_close(struct case_file *c)
{
	free(c->wakee);
	free(c->waker);
	free(c->by_wakee.first);
	free(c->by_wakee.list);
	free(c->by_waker.first);
	free(c->by_waker.list);
	free(c->reached);
	free(c->part);
	free(c->peer);
	free(c->marked);
	free(c->todo);
}

static void link_edges(const struct case_file *c)
{
	const struct loop *loop = c->loop;

	for (size_t k = 0; k < loop->edge_count; k++) {
		c->wakee[k] = find_thread(loop, loop->edges[k].wakee_tid);
		c->waker[k] = find_thread(loop, loop->edges[k].waker_tid);
	}
	link_ends(&c->by_wakee, c->wakee, loop->thread_count, loop->edge_count);
	link_ends(&c->by_waker, c->waker, loop->thread_count, loop->edge_count);
}

static bool links_alloc(struct links *links, const struct loop *loop)
{
	links->first = calloc(loop->thread_count + 2, sizeof(*links->first));
	links->list = calloc(loop->edge_count + 1, sizeof(*links->list));
	return links->first && links->list;
}

/* Who works for the trainer. Returns 0 or -ENOMEM; case_close() in either case. */
static int case_open(struct case_file *c, const struct loop *loop, pid_t trainer)
{
	const struct loop_process *process = loop_find_process(loop, trainer);
	ssize_t at = find_thread(loop, trainer);

	*c = (struct case_file){ .loop = loop,
				 .trainer = trainer,
				 .wall_s = duration_seconds(loop->wall_ns) };
	c->clock_s = process ? duration_seconds(process->clock_ns) : 0;
	c->thread = at < 0 ? NULL : &loop->threads[at];
	c->wakee = calloc(loop->edge_count + 1, sizeof(*c->wakee));
	c->waker = calloc(loop->edge_count + 1, sizeof(*c->waker));
	c->reached = calloc(loop->thread_count + 1, sizeof(*c->reached));
	c->part = calloc(loop->thread_count + 1, sizeof(*c->part));
	c->peer = calloc(loop->process_count + 1, sizeof(*c->peer));
	c->marked = calloc(loop->thread_count + 1, sizeof(*c->marked));
	c->todo = calloc(loop->thread_count + 1, sizeof(*c->todo));
	if (!links_alloc(&c->by_wakee, loop) || !links_alloc(&c->by_waker, loop) || !c->wakee ||
	    !c->waker || !c->reached || !c->part || !c->peer || !c->marked || !c->todo)
		return -ENOMEM;
	if (c->thread) {
		link_edges(c);
		reach(c);
		find_parts(c);
	}
	return 0;
}

int judge(struct verdict *verdict, const struct loop *steady, pid_t trainer, double cpus)
{
	struct case_file c;
	int err = case_open(&c, steady, trainer);

	*verdict = (struct verdict){ .pid = trainer, .steady_s = c.wall_s };
	verdict->producers = calloc(steady->thread_count + 1, sizeof(*verdict->producers));
	if (!verdict->producers)
		err = -ENOMEM;
	if (err)
		;
	else if (!c.thread || c.wall_s < shortest_s || waits_of(steady, trainer) < fewest_waits)
		unknown(verdict, REASON_SHORT);
	else
		decide(verdict, &c, cpus);
	case_close(&c);
	return err;
}

void verdict_free(struct verdict *verdict)
{
	free(verdict->producers);
	verdict->producers = NULL;
	verdict->producer_count = 0;
}

/* It works for nobody else, and others may work for it: processes or threads. */
static bool is_trainer(const struct loop *loop, const struct loop_process *p)
{
	size_t threads = 0;

	if (p->trainer_pid != p->pid)
		return false;
	for (size_t i = 0; i < loop->process_count; i++)
		if (is_worker(loop, loop->processes[i].pid, p->pid))
			return true;
	for (size_t i = 0; i < loop->thread_count; i++)
		threads += loop->threads[i].pid == p->pid;
	return threads > 1;
}

/* Has the trainer waited for those that make input again and again, or they for it? */
static bool is_steady(const struct case_file *whole, const struct loop *stretch)
{
	uint64_t waits = 0;

	for (size_t i = 0; i < stretch->edge_count; i++) {
		const struct edge_report *edge = &stretch->edges[i];
		pid_t other = edge->wakee_tid == whole->trainer ? edge->waker_tid :
			      edge->waker_tid == whole->trainer ? edge->wakee_tid :
								  0;
		ssize_t at = other ? find_thread(whole->loop, other) : -1;

		if (at >= 0 && is_input(whole, (size_t)at))
			waits += edge->waits;
	}
	return waits >= RECURRING_WAITS;
}

/* Add up the stretches between the first and the last steady one; all, if there is none. */
static int find_steady(struct loop *steady, const struct case_file *whole,
		       const struct loop *stretches, size_t count, double *startup_s)
{
	size_t first = count, last = count;
	int err = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_steady(whole, &stretches[i]))
			continue;
		if (first == count)
			first = i;
		last = i + 1;
	}
	if (first == count)
		first = 0;
	/* The loop begins and ends somewhere inside these. The last one of a run may be short. */
	if (last - first >= FEWEST_STRETCHES) {
		first++;
		if (stretches[--last].wall_ns < stretches[first].wall_ns / 2)
			last--;
	}
	for (size_t i = 0; i < first; i++)
		*startup_s += duration_seconds(stretches[i].wall_ns);
	for (size_t i = first; !err && i < last; i++)
		err = loop_add(steady, &stretches[i]);
	return err;
}

static int judge_trainer(struct verdict *verdict, const struct loop *all,
			 const struct loop *stretches, size_t count, pid_t pid, double cpus)
{
	struct loop steady = { 0 };
	struct case_file whole;
	double startup_s = 0;
	int err = case_open(&whole, all, pid);

	if (!err)
		err = find_steady(&steady, &whole, stretches, count, &startup_s);
	if (!err)
		err = judge(verdict, &steady, pid, cpus);
	verdict->startup_s = startup_s;
	case_close(&whole);
	loop_free(&steady);
	return err;
}

int judge_all(struct verdicts *verdicts, const struct loop *stretches, size_t count, double cpus)
{
	struct loop all = { 0 };
	int err = 0;

	*verdicts = (struct verdicts){ 0 };
	for (size_t i = 0; !err && i < count; i++)
		err = loop_add(&all, &stretches[i]);
	if (!err)
		verdicts->list = calloc(all.process_count + 1, sizeof(*verdicts->list));
	if (!verdicts->list)
		err = -ENOMEM;
	for (size_t i = 0; !err && i < all.process_count; i++) {
		const struct loop_process *p = &all.processes[i];

		/* Shells and launchers wait once. */
		if (is_trainer(&all, p) && waits_of(&all, p->pid) >= fewest_waits)
			err = judge_trainer(&verdicts->list[verdicts->count++], &all, stretches,
					    count, p->pid, cpus);
	}
	loop_free(&all);
	return err;
}

void verdicts_free(struct verdicts *verdicts)
{
	for (size_t i = 0; i < verdicts->count; i++)
		verdict_free(&verdicts->list[i]);
	free(verdicts->list);
	*verdicts = (struct verdicts){ 0 };
}
