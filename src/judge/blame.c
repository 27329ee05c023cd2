// SPDX-License-Identifier: BSD-2-Clause
#include "judge/blame.h"

#include <math.h>

#include "base/order.h"
#include "base/units.h"
#include "model/edges.h"

static const double critical_share = 0.9; /* of the busiest producer */
static const double least_locked = 0.4;   /* of the producers' time on the clock */
static const double least_timed = 0.3;    /* of waits for an interpreter's lock: ended by a timer */
static const double least_side = 0.25;    /* of the loop, for the shorter side */

enum verdict_class blame_class(unsigned int class)
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

/*
 * The clock also runs in waits of the trainer that are not for input. When in it these were is not known: of what others did
 * on the clock this part is taken.
 */
static double share_of_clock(const struct verdict *v, const struct case_file *c)
{
	return c->clock_s > 0 ? fmin(1, v->waited_s / c->clock_s) : 0;
}

/* Another one that makes input, and works. */
static bool is_producer(const struct case_file *c, ssize_t thread)
{
	return thread >= 0 && &c->loop->threads[thread] != c->thread &&
	       (case_is_input(c, (size_t)thread) || case_is_sibling(c, (size_t)thread)) &&
	       own_s(&c->loop->threads[thread].all) > LEAST_BUSY * c->wall_s;
}

/* Waits in futexes between a thread and producers: `links` and `other` say which end it has. */
static uint64_t lock_ns(const struct case_file *c, size_t thread, const struct links *links,
			const ssize_t *other)
{
	uint64_t ns = 0;

	for (size_t k = links->first[thread]; k < links->first[thread + 1]; k++)
		if (is_producer(c, other[links->list[k]]))
			ns += c->loop->edges[links->list[k]].ns[EDGE_LOCK];
	return ns;
}

/*
 * Of a producer's waits in futexes, the part in which another one held a lock: others wait for it just as long. A thread that
 * waits for work is waited for by nobody, and one that hands out work waits for nobody.
 */
static double part_locked(const struct case_file *c, size_t thread)
{
	uint64_t all = 0, waited = lock_ns(c, thread, &c->ends.by_wakee, c->ends.waker);
	uint64_t held = lock_ns(c, thread, &c->ends.by_waker, c->ends.wakee);

	for (size_t k = c->ends.by_wakee.first[thread]; k < c->ends.by_wakee.first[thread + 1]; k++)
		all += c->loop->edges[c->ends.by_wakee.list[k]].ns[EDGE_LOCK];
	return all ? (double)(held < waited ? held : waited) / (double)all : 0;
}

/* Of its waits for pipes and their like, the part that threads of processes outside the job ended. */
static double part_external(const struct case_file *c, size_t thread)
{
	uint64_t all = 0, external = 0;

	for (size_t k = c->ends.by_wakee.first[thread]; k < c->ends.by_wakee.first[thread + 1];
	     k++) {
		const struct edge_report *e = &c->loop->edges[c->ends.by_wakee.list[k]];

		all += e->ns[EDGE_IPC];
		external += edge_is_external(e) ? e->ns[EDGE_IPC] : 0;
	}
	return all ? (double)external / (double)all : 0;
}

static void add_blame(struct producer *p, enum verdict_class class, double seconds)
{
	p->blame_s[class] += seconds;
	p->on_clock_s += seconds;
}

static void add_producer(struct verdict *v, const struct case_file *c, size_t thread)
{
	const struct loop_thread *t = &c->loop->threads[thread];
	struct producer *p = &v->producers[v->producer_count++];
	double part = share_of_clock(v, c);

	*p = (struct producer){ .tid = t->tid, .pid = t->pid, .busy_s = own_s(&t->all) };
	for (unsigned int class = 0; class < LEDGER_CLASSES; class ++)
		if (class_is_own(class)) {
			p->own_s[blame_class(class)] += class_s(&t->all, class);
			add_blame(p, blame_class(class), part * class_s(&t->waiting, class));
		}
	p->own_s[CLASS_EXTERNAL] = class_s(&t->all, LEDGER_IPC) * part_external(c, thread);
	p->locked_s = part * class_s(&t->waiting, LEDGER_LOCK) * part_locked(c, thread);
	add_blame(p, CLASS_EXTERNAL,
		  part * class_s(&t->waiting, LEDGER_IPC) * part_external(c, thread));
}

static int by_clock(const void *a, const void *b)
{
	const struct producer *x = a, *y = b;
	int order = (x->on_clock_s < y->on_clock_s) - (x->on_clock_s > y->on_clock_s);

	return order ? order : compare_numbers((uint64_t)x->tid, (uint64_t)y->tid);
}

/* Inside a marker the trainer's own thread may work for itself. */
static bool may_produce(const struct case_file *c, size_t thread)
{
	return case_is_input(c, thread) &&
	       (c->process->marked || &c->loop->threads[thread] != c->thread);
}

/*
 * For a visible part of the time, or of its life: workers may be replaced often. One that sleeps by the clock, and whom nobody
 * waits for, only looks after something.
 */
static bool is_busy(const struct case_file *c, size_t thread)
{
	const struct loop_thread *t = &c->loop->threads[thread];
	double lived_s = duration_seconds(ledger_wall_ns(&t->all));
	/* One that waits for a process outside the job has that make it. */
	double busy_s = own_s(&t->all) + class_s(&t->all, LEDGER_IPC) * part_external(c, thread);

	return busy_s > LEAST_BUSY * fmin(c->wall_s, lived_s) &&
	       (c->reached[thread] || class_s(&t->all, LEDGER_SLEEP) < busy_s / 2);
}

static bool has_outside(const struct case_file *c)
{
	for (size_t i = 0; i < c->loop->thread_count; i++)
		if (c->part[i] == PART_OUTSIDE)
			return true;
	return false;
}

void blame_find_producers(struct verdict *v, const struct case_file *c)
{
	bool outside = has_outside(c);

	for (size_t i = 0; i < c->loop->thread_count; i++)
		if ((may_produce(c, i) || (outside && case_is_sibling(c, i))) && is_busy(c, i))
			add_producer(v, c, i);
	if (v->producer_count)
		sort_in_place(v->producers, v->producer_count, sizeof(*v->producers), by_clock);
}

static enum verdict_class largest_blame(const struct verdict *v)
{
	int largest = 0;

	for (int class = 1; class < BLAME_CLASSES; class ++)
		if (v->blame_pct[class] > v->blame_pct[largest])
			largest = class;
	return v->blame_pct[largest] > VERDICT_LEAST_BLAME_PCT ? (enum verdict_class)largest :
								 CLASS_MIXED;
}

/* By what the critical producers did on the clock; `idle`: the part in which not even they worked, the pipeline's. */
static void share_out(struct verdict *v, double idle)
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

/* Where producers wait for one another much, that is what the trainer waits for. Returns whether they do. */
static bool count_locks(struct verdict *v)
{
	double locked = 0, own = 0;

	for (size_t i = 0; i < v->producer_count; i++) {
		locked += v->producers[i].locked_s;
		own += v->producers[i].on_clock_s;
	}
	if (locked <= 0 || locked < least_locked * (locked + own))
		return false;
	for (size_t i = 0; i < v->producer_count; i++)
		add_blame(&v->producers[i], CLASS_LOCK, v->producers[i].locked_s);
	sort_in_place(v->producers, v->producer_count, sizeof(*v->producers), by_clock);
	return true;
}

/* How many of its producers lived at the same time, on average. */
static double living_at_once(const struct verdict *v, const struct case_file *c)
{
	double lived_s = 0;

	for (size_t i = 0; i < v->producer_count; i++) {
		ssize_t at = loop_find_thread(c->loop, v->producers[i].tid);

		if (at >= 0)
			lived_s += duration_seconds(ledger_wall_ns(&c->loop->threads[at].all));
	}
	return fmax(1, lived_s / c->wall_s);
}

/* If each of them works by chance, so much of the time none does. */
static double none_works(const struct verdict *v)
{
	double none = 1;

	for (size_t i = 0; i < v->producer_count; i++)
		none *= 1 - fmin(1, v->producers[i].on_clock_s / v->waited_s);
	return none;
}

/*
 * When no producer worked is not seen, only how long each did. All together they worked for at least as long as the busiest
 * one, and as all of them if as many as lived at the same time always worked at the same time; at most for the sum (they may
 * have worked one after another). Where both give the same class that is it; else what is likely, and it is not sure. Inside a
 * marker there is no doubt: the trainer waits for what its pipeline does, and whichever thread of a pool does it.
 */
bool blame_share(struct verdict *v, const struct case_file *c)
{
	double top = 0, all = 0, longest;
	/* Inside a marker a thread may wait for a pool's, and that one for it. */
	bool locked = !v->marked && count_locks(v), sure;
	enum verdict_class least, most;

	for (size_t i = 0; i < v->producer_count; i++) {
		struct producer *p = &v->producers[i];

		top = fmax(top, p->on_clock_s);
		all += p->on_clock_s;
	}
	for (size_t i = 0; i < v->producer_count; i++)
		v->producers[i].critical =
			v->marked || v->producers[i].on_clock_s >= critical_share * top;
	longest = v->marked ? all : fmax(top, all / living_at_once(v, c));
	share_out(v, 1 - fmin(1, longest / v->waited_s));
	most = largest_blame(v);
	share_out(v, 1 - fmin(1, all / v->waited_s));
	least = largest_blame(v);
	sure = most == least;
	share_out(v, sure ? 1 - fmin(1, longest / v->waited_s) : none_works(v));
	v->class = largest_blame(v);
	if (locked && v->blame_pct[CLASS_LOCK] >= 100 * least_locked) {
		v->class = CLASS_LOCK;
		sure = true;
	}
	return sure;
}

void blame_share_own(struct verdict *v, const struct case_file *c)
{
	const struct ledger *all = &c->thread->all;
	double network = class_s(all, LEDGER_NETWORK), reading = reading_s(all);

	for (int class = 0; class < BLAME_CLASSES; class ++)
		v->blame_pct[class] = 0;
	v->blame_pct[CLASS_NETWORK] = 100 * network / reading;
	v->blame_pct[CLASS_STORAGE] = 100 * (reading - network) / reading;
	v->class = largest_blame(v);
}

/* Two sides near balance cost 9 % more than the larger one alone. */
static double soft_max(double a, double b)
{
	double top = fmax(a, b);

	return top > 0 ? top * pow(pow(a / top, 8) + pow(b / top, 8), 0.125) : 0;
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

double blame_overlap_lost(const struct verdict *v)
{
	double step = v->steady_s - v->waited_s, make = producing_s(v), least, lost;

	least = soft_max(step, fmax(make, v->steady_s * v->busy_cpus / v->cpus));
	lost = fmin(fmin(step, make), v->steady_s - least);
	return fmin(step, make) > least_side * v->steady_s && lost > 0 ? lost / fmin(step, make) :
									 0;
}

/* Of its waits in futexes, those that another thread ended. */
static double ended_lock_s(const struct case_file *c, size_t thread)
{
	uint64_t ns = 0;

	for (size_t k = c->ends.by_wakee.first[thread]; k < c->ends.by_wakee.first[thread + 1]; k++)
		ns += c->loop->edges[c->ends.by_wakee.list[k]].ns[EDGE_LOCK];
	return duration_seconds(ns);
}

/* Does it wait for locks for a visible part of the time, and do many of these waits end by a timer? */
static bool is_timed(const struct case_file *c, size_t thread)
{
	double waited = class_s(&c->loop->threads[thread].all, LEDGER_LOCK);

	return waited > LEAST_BUSY * c->wall_s &&
	       waited - ended_lock_s(c, thread) >= least_timed * waited;
}

double blame_interpreter_lock_s(const struct case_file *c, bool *trainer)
{
	double cpu = 0, queued = 0, waited = 0, ended = 0;
	/* Two that take turns keep one processor busy too; that waits for locks end by a timer is not seen by looks. */
	int threads = 0, fewest = c->loop->looks ? 3 : 2;

	*trainer = is_timed(c, (size_t)(c->thread - c->loop->threads));
	/* Threads of a pool that wait for one another look like that on a busy host. */
	if (c->loop->looks && c->process->frameworks & FRAMEWORK_TENSORFLOW)
		return 0;
	for (size_t i = 0; i < c->loop->thread_count; i++) {
		const struct loop_thread *t = &c->loop->threads[i];

		if (t->pid != c->process->pid ||
		    class_s(&t->all, LEDGER_CPU) <= LEAST_BUSY * c->wall_s ||
		    class_s(&t->all, LEDGER_LOCK) <= LEAST_BUSY * c->wall_s)
			continue;
		cpu += class_s(&t->all, LEDGER_CPU);
		queued += class_s(&t->all, LEDGER_RUNQUEUE);
		waited += class_s(&t->all, LEDGER_LOCK);
		ended += ended_lock_s(c, i);
		threads++;
	}
	return threads >= fewest && waited - ended >= least_timed * waited &&
			       cpu + queued >= 0.85 * c->wall_s && cpu <= 1.08 * c->wall_s ?
		       cpu :
		       0;
}
