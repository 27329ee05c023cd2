// SPDX-License-Identifier: BSD-2-Clause
#include "judge/presumed.h"

#include <errno.h>

#include "base/order.h"
#include "base/scratch.h"
#include "base/units.h"
#include "judge/case.h"
#include "model/edges.h"

enum { MAX_DEPTH = 64 };

/* Of the stretches in which a thread lived, those in which it ran: a trainer's at least half, a worker's a quarter. */
enum { TRAINER_RUNS = 2, WORKER_RUNS = 4 };

static const double least_step = 0.002; /* of the time seen: run by a loop, however long it waits */
static const double least_loop = 0.01;  /* likewise: with its waits for others; launchers sleep */
static const double least_work = 0.002; /* likewise: of a worker that is waited for */
static const double least_own =
	0.02; /* likewise: of a thread that may run the loop in place of the first */
static const double most_asleep = 0.5; /* of its life: one that goes by the clock makes nothing */
static const double most_in_waits =
	0.7; /* of what chance would have it do while the trainer waits */
static const double least_locked =
	0.3; /* of the loop's waits, for those who wait for one another */
static const double least_engaged = 0.9, most_at_once = 1.1; /* likewise */
static const double always_reading = 0.9;                    /* of the time */

/* What a thread is presumed to do. */
enum deed {
	DEED_NONE,
	DEED_LOOP,
	DEED_WORKS,   /* makes input in another process */
	DEED_READS,   /* likewise in the loop's own */
	DEED_STEP,    /* computes in the loop's own process, and not when the loop waits */
	DEED_ASKED,   /* waits for the network there: for input, or a collective's */
	DEED_UNCLEAR, /* computes there */
};

/* Of each thread seen, by its index: what it does, and for which thread's loop; of each process its loop and its boss. */
struct presumed {
	struct scratch *scratch;
	const struct loop *seen;
	pid_t trainer;
	enum deed *deeds;
	pid_t *loop_tids;
	ssize_t *
		loops; /* by process: index of the thread that runs its loop, if it has one; -1: none */
	pid_t *bosses; /* likewise: the process that it works for, 0: none */
	bool *works;   /* likewise: any of its threads does, again and again */
	bool *has_workers;
};

static double busy_s(const struct ledger *ledger)
{
	return own_s(ledger) - class_s(ledger, LEDGER_SLEEP) - class_s(ledger, LEDGER_OTHER);
}

static double waits_s(const struct ledger *ledger)
{
	return class_s(ledger, LEDGER_IPC) + class_s(ledger, LEDGER_LOCK);
}

static double computing_s(const struct ledger *ledger)
{
	return class_s(ledger, LEDGER_CPU) + class_s(ledger, LEDGER_RUNQUEUE);
}

static double files_s(const struct ledger *ledger)
{
	return reading_s(ledger) - class_s(ledger, LEDGER_NETWORK);
}

static double lived_s(const struct loop_thread *t)
{
	return duration_seconds(ledger_wall_ns(&t->all));
}

static bool runs(const struct loop_thread *t, unsigned int one_in)
{
	return t->ran * one_in >= t->stretches;
}

static size_t index_of(const struct loop *loop, const struct loop_process *p)
{
	return (size_t)(p - loop->processes);
}

/* Does it run a loop: has it work of its own again and again, and does it wait for others or compute? */
static bool runs_loop(const struct presumed *plan, const struct loop_thread *t)
{
	double wall = wall_s(plan->seen);

	return runs(t, TRAINER_RUNS) && busy_s(&t->all) >= least_step * wall &&
	       busy_s(&t->all) + waits_s(&t->all) >= least_loop * wall;
}

/* One that makes batches reads, beside its modules; one that computes steps does not wait for others as a loop does. */
static bool may_be_loop(const struct presumed *plan, const struct loop_thread *t)
{
	double wall = wall_s(plan->seen);

	return runs_loop(plan, t) && busy_s(&t->all) >= least_own * wall &&
	       waits_s(&t->all) >= least_loop * wall &&
	       (files_s(&t->all) < busy_s(&t->all) / 2 || files_s(&t->all) < LEAST_BUSY * wall);
}

/* The first thread only looks on: it waits for the ends of others, whatever it did before it started them. */
static bool looks_on(const struct loop_thread *t)
{
	return busy_s(&t->all) < least_own * lived_s(t) || !runs(t, TRAINER_RUNS);
}

static bool is_better(const struct loop_thread *one, const struct loop_thread *other)
{
	/* A loop waits at pipes where threads that compute for it wait for locks. */
	return class_s(&one->all, LEDGER_IPC) + busy_s(&one->all) >
	       class_s(&other->all, LEDGER_IPC) + busy_s(&other->all);
}

/* Of a process whose first thread looks on: another one, if any does what a loop does. */
static void choose_other_loops(struct presumed *plan)
{
	const struct loop *seen = plan->seen;

	for (size_t i = 0; i < seen->thread_count; i++) {
		const struct loop_thread *t = &seen->threads[i];
		const struct loop_process *p = loop_find_process(seen, t->pid);
		ssize_t first = loop_find_thread(seen, t->pid), *chosen;

		if (!p || t->tid == t->pid || !may_be_loop(plan, t) ||
		    (first >= 0 && !looks_on(&seen->threads[first])))
			continue;
		chosen = &plan->loops[index_of(seen, p)];
		if (*chosen < 0 || *chosen == first || is_better(t, &seen->threads[*chosen]))
			*chosen = (ssize_t)i;
	}
}

static void choose_loops(struct presumed *plan)
{
	const struct loop *seen = plan->seen;

	for (size_t i = 0; i < seen->process_count; i++) {
		ssize_t first = loop_find_thread(seen, seen->processes[i].pid);

		plan->loops[i] = -1;
		if (first >= 0 && (seen->processes[i].pid == plan->trainer ||
				   runs_loop(plan, &seen->threads[first])))
			plan->loops[i] = first;
	}
	choose_other_loops(plan);
}

/* Again and again, and not by the clock. */
static bool is_at_work(const struct presumed *plan, const struct loop_thread *t)
{
	return runs(t, WORKER_RUNS) && busy_s(&t->all) >= least_work * wall_s(plan->seen) &&
	       class_s(&t->all, LEDGER_SLEEP) < most_asleep * lived_s(t);
}

static void find_workers(struct presumed *plan)
{
	const struct loop *seen = plan->seen;

	for (size_t i = 0; i < seen->thread_count; i++) {
		const struct loop_process *p = loop_find_process(seen, seen->threads[i].pid);

		if (p && is_at_work(plan, &seen->threads[i]))
			plan->works[index_of(seen, p)] = true;
	}
}

/* Workers have no more in their memory than the one they work for: a launcher in Python is no trainer of a PyTorch job. */
static bool may_work_for(const struct presumed *plan, const struct loop_process *p,
			 const struct loop_process *boss)
{
	if (boss->pid == plan->trainer)
		return true;
	return boss->frameworks && !(p->frameworks & ~boss->frameworks) &&
	       plan->loops[index_of(plan->seen, boss)] >= 0;
}

/* The nearest ancestor that runs a loop: those that have workers start them through servers of theirs. */
static pid_t find_boss(const struct presumed *plan, const struct loop_process *p)
{
	const struct loop_process *at = p;

	for (int i = 0; i < MAX_DEPTH && at; i++) {
		at = loop_find_process(plan->seen, at->ppid);
		if (at && at != p && may_work_for(plan, p, at))
			return at->pid;
	}
	return 0;
}

static void mark_bosses(const struct presumed *plan)
{
	const struct loop *seen = plan->seen;

	for (size_t i = 0; i < seen->process_count; i++)
		plan->has_workers[i] = false;
	for (size_t i = 0; i < seen->process_count; i++) {
		const struct loop_process *boss = loop_find_process(seen, plan->bosses[i]);

		if (boss)
			plan->has_workers[index_of(seen, boss)] = true;
	}
}

/* One that others work for is a trainer itself: a rank, which its launcher only started. */
static void find_bosses(struct presumed *plan)
{
	const struct loop *seen = plan->seen;

	for (size_t i = 0; i < seen->process_count; i++)
		if (plan->works[i] && seen->processes[i].pid != plan->trainer)
			plan->bosses[i] = find_boss(plan, &seen->processes[i]);
	mark_bosses(plan);
	for (size_t i = 0; i < seen->process_count; i++)
		if (plan->has_workers[i] && plan->bosses[i] != plan->trainer)
			plan->bosses[i] = 0;
	mark_bosses(plan);
}

/* Of a process that works for another one: its first thread, and others that work much; what one makes that writes is no input. */
static enum deed deed_of_worker(const struct presumed *plan, const struct loop_thread *t)
{
	double least = t->tid == t->pid ? 0 : LEAST_BUSY * wall_s(plan->seen);

	return busy_s(&t->all) >= least && writing_s(&t->all) <= busy_s(&t->all) / 2 ? DEED_WORKS :
										       DEED_NONE;
}

/*
 * Another thread of the loop's own process. One that reads files makes input. One that computes less while the loop waits than
 * chance would have it does so in the steps, and so does one that gets nothing through a pipe where other processes make the
 * input; of any other it is not known.
 */
static enum deed deed_of_own(const struct presumed *plan, const struct loop_thread *t,
			     const struct loop_process *p)
{
	double least = LEAST_BUSY * wall_s(plan->seen);
	double part = duration_seconds(p->clock_ns) / wall_s(plan->seen);

	if (t->tid == t->pid && looks_on(t))
		return DEED_NONE;
	if (files_s(&t->all) > least)
		return DEED_READS;
	if (reading_s(&t->all) > least)
		return DEED_ASKED;
	if (computing_s(&t->all) <= least)
		return DEED_NONE;
	if (plan->has_workers[index_of(plan->seen, p)] && class_s(&t->all, LEDGER_IPC) < least)
		return DEED_STEP;
	return computing_s(&t->waiting) < most_in_waits * part * computing_s(&t->all) ?
		       DEED_STEP :
		       DEED_UNCLEAR;
}

static void set_deed(struct presumed *plan, size_t thread)
{
	const struct loop *seen = plan->seen;
	const struct loop_thread *t = &seen->threads[thread];
	const struct loop_process *p = loop_find_process(seen, t->pid), *boss;
	ssize_t loop;

	if (!p)
		return;
	boss = loop_find_process(seen, plan->bosses[index_of(seen, p)]);
	loop = plan->loops[index_of(seen, boss ? boss : p)];
	if (loop < 0 || (!boss && !p->frameworks && p->pid != plan->trainer))
		return;
	plan->loop_tids[thread] = seen->threads[loop].tid;
	plan->deeds[thread] = (size_t)loop == thread ? DEED_LOOP :
			      boss                   ? deed_of_worker(plan, t) :
						       deed_of_own(plan, t, p);
}

static bool allocate(struct presumed *plan)
{
	size_t threads = plan->seen->thread_count + 1, processes = plan->seen->process_count + 1;

	plan->deeds = scratch_take(plan->scratch, threads, sizeof(*plan->deeds));
	plan->loop_tids = scratch_take(plan->scratch, threads, sizeof(*plan->loop_tids));
	plan->loops = scratch_take(plan->scratch, processes, sizeof(*plan->loops));
	plan->bosses = scratch_take(plan->scratch, processes, sizeof(*plan->bosses));
	plan->works = scratch_take(plan->scratch, processes, sizeof(*plan->works));
	plan->has_workers = scratch_take(plan->scratch, processes, sizeof(*plan->has_workers));
	return plan->deeds && plan->loop_tids && plan->loops && plan->bosses && plan->works &&
	       plan->has_workers;
}

static void find(struct presumed *plan)
{
	choose_loops(plan);
	find_workers(plan);
	find_bosses(plan);
	for (size_t i = 0; i < plan->seen->thread_count; i++)
		set_deed(plan, i);
}

int presumed_find(struct presumed **presumed, struct scratch *scratch, const struct loop *seen,
		  pid_t trainer)
{
	*presumed = scratch_take(scratch, 1, sizeof(**presumed));
	if (!*presumed)
		return -ENOMEM;
	(*presumed)->scratch = scratch;
	(*presumed)->seen = seen;
	(*presumed)->trainer = trainer;
	if (!seen->looks)
		return 0;
	if (!allocate(*presumed))
		return -ENOMEM;
	find(*presumed);
	return 0;
}

/* How long others did their work while the loop waited, in one part: those who make its input, and the rest. */
struct shares {
	double makers_s, others_s;
	size_t makers, others;
	size_t outside;   /* of the makers: in other processes */
	double between_s; /* that a thread of the loop's own process waited at pipes, the longest */
	size_t locked,
		idle; /* of the makers: that waited for locks meanwhile, that did something else */
};

/* A part of the run, thread by thread. */
struct building {
	const struct presumed *plan;
	struct loop *view;
	const struct loop_thread *loop; /* whose edges are made */
	double clock_s;
	bool contended; /* those who make its input wait for one another */
	struct shares shares;
};

static enum deed deed_of(const struct building *b, const struct loop_thread *t)
{
	ssize_t at = loop_find_thread(b->plan->seen, t->tid);

	return at >= 0 && b->plan->loop_tids[at] == b->loop->tid ? b->plan->deeds[at] : DEED_NONE;
}

static bool makes_input(enum deed deed)
{
	return deed == DEED_WORKS || deed == DEED_READS;
}

/* Of others than those who make input only what they compute. */
static double weight_s(enum deed deed, const struct loop_thread *t)
{
	return deed == DEED_STEP || deed == DEED_UNCLEAR ? computing_s(&t->waiting) :
							   own_s(&t->waiting);
}

static void add_share(struct building *b, const struct loop_thread *t)
{
	double at_pipes_s = class_s(&t->waiting, LEDGER_IPC);
	enum deed deed = deed_of(b, t);
	double s = weight_s(deed, t), locked_s = class_s(&t->waiting, LEDGER_LOCK);

	if (t != b->loop && t->pid == b->loop->pid && at_pipes_s > b->shares.between_s)
		b->shares.between_s = at_pipes_s;
	if (makes_input(deed)) {
		b->shares.makers_s += s;
		b->shares.makers++;
		b->shares.outside += deed == DEED_WORKS;
		b->shares.locked += locked_s >= least_locked * b->clock_s;
		b->shares.idle += s + locked_s < least_engaged * b->clock_s;
	} else if (deed != DEED_NONE && deed != DEED_LOOP) {
		b->shares.others_s += s;
		b->shares.others++;
	}
}

/* The part of one of them; where none did anything each has the same. */
static double part_of(double s, double all_s, size_t count)
{
	return all_s > 0 ? s / all_s : count ? 1 / (double)count : 0;
}

/*
 * Of the loop's waits for locks, the part that may be for input. Other processes hand it things through a pipe, or to a thread in
 * between, which then waits at a pipe itself; all other waits are for its own threads, if any of these compute.
 */
static double locked_for_input(const struct building *b)
{
	double locked_s = class_s(&b->loop->waiting, LEDGER_LOCK);

	if (!b->shares.others || !b->shares.outside || locked_s <= 0)
		return 1;
	return b->shares.between_s < locked_s ? b->shares.between_s / locked_s : 1;
}

/*
 * Things come through pipes from those who make them, where there are any. A lock may be anybody's: of such waits each has as
 * much as it did meanwhile.
 */
static void share_waits(const struct building *b, struct edge_report *edge, enum deed deed,
			const struct loop_thread *t)
{
	const struct shares *s = &b->shares;
	const struct ledger *all = &b->loop->all;
	double pipes_ns = (double)(ledger_class_ns(all, LEDGER_IPC) - all->ns[LEDGER_SEND]);
	double locks_ns = (double)ledger_class_ns(all, LEDGER_LOCK);
	double did_s = weight_s(deed, t), all_s = s->makers_s + s->others_s;
	double for_input = locked_for_input(b);

	if (makes_input(deed)) {
		pipes_ns *= part_of(did_s, s->makers_s, s->makers);
		locks_ns *= for_input * part_of(did_s, all_s, s->makers);
	} else {
		pipes_ns *= s->makers ? 0 : part_of(did_s, s->others_s, s->others);
		locks_ns *= for_input * part_of(did_s, all_s, s->makers ? 0 : s->others) +
			    (1 - for_input) * part_of(did_s, s->others_s, s->others);
	}
	edge->ns[EDGE_IPC] = (uint64_t)pipes_ns;
	edge->ns[EDGE_LOCK] = (uint64_t)locks_ns;
}

/* So often it was seen to wait: each time may have been another wait, or the same. */
static uint64_t looks_of(const struct loop *loop, double s)
{
	return loop->wall_ns ? (uint64_t)(s / wall_s(loop) * (double)loop->looks + 0.5) : 0;
}

static struct edge_report *add_edge(struct building *b, const struct loop_thread *wakee,
				    const struct loop_thread *waker, uint64_t waits)
{
	struct edge_report *edge = &b->view->edges[b->view->edge_count++];

	*edge = (struct edge_report){ .wakee_tid = wakee->tid,
				      .wakee_pid = wakee->pid,
				      .waker_tid = waker->tid,
				      .waker_pid = waker->pid,
				      .waker_process = waker->pid,
				      .waits = waits };
	return edge;
}

/* The loop waits for it; and it for the loop, or for room in what it makes. */
static void add_edges(struct building *b, const struct loop_thread *t)
{
	enum deed deed = deed_of(b, t);
	uint64_t waits = looks_of(b->view, waits_s(&b->loop->all));
	struct edge_report *edge;

	if (deed == DEED_NONE || deed == DEED_LOOP)
		return;
	edge = add_edge(b, b->loop, t, waits);
	share_waits(b, edge, deed, t);
	if (deed == DEED_UNCLEAR)
		return;
	/* What is made for it is not its to take. */
	edge->ns[EDGE_IPC] += makes_input(deed);
	edge = add_edge(b, t, b->loop,
			deed == DEED_STEP || deed == DEED_ASKED ?
				waits :
				looks_of(b->view, waits_s(&t->all)));
	edge->ns[EDGE_IPC] = ledger_class_ns(&t->all, LEDGER_IPC) - t->all.ns[LEDGER_SEND];
	edge->ns[EDGE_SEND] = t->all.ns[LEDGER_SEND];
	edge->ns[EDGE_LOCK] = b->contended && makes_input(deed) ? 0 : t->all.ns[LEDGER_LOCK];
}

/*
 * While the loop waits, one of those who make its input works at a time, and all others wait for a lock: each other's. Which one
 * has it is not known; each waits for the next.
 */
static bool is_contended(const struct building *b)
{
	const struct shares *s = &b->shares;

	return b->clock_s > LEAST_BUSY * wall_s(b->view) && s->locked >= 2 &&
	       s->locked == s->makers && !s->idle && s->makers_s <= most_at_once * b->clock_s &&
	       s->makers_s >= least_engaged * b->clock_s;
}

static void add_lock(struct building *b, const struct loop_thread *wakee,
		     const struct loop_thread *waker)
{
	uint64_t waits = looks_of(b->view, class_s(&wakee->all, LEDGER_LOCK));

	add_edge(b, wakee, waker, waits)->ns[EDGE_LOCK] = wakee->all.ns[LEDGER_LOCK];
}

static void add_locks(struct building *b)
{
	const struct loop *view = b->view;
	const struct loop_thread *first = NULL, *last = NULL;

	for (size_t i = 0; i < view->thread_count; i++) {
		const struct loop_thread *t = &view->threads[i];

		if (!makes_input(deed_of(b, t)))
			continue;
		if (last)
			add_lock(b, last, t);
		first = first ? first : t;
		last = t;
	}
	if (last && last != first)
		add_lock(b, last, first);
}

static void add_edges_of(struct building *b, const struct loop_thread *loop)
{
	const struct loop *view = b->view;
	const struct loop_process *p = loop_find_process(view, loop->pid);

	b->loop = loop;
	b->shares = (struct shares){ 0 };
	if (!p || deed_of(b, loop) != DEED_LOOP)
		return;
	b->clock_s = duration_seconds(p->clock_ns);
	for (size_t i = 0; i < view->thread_count; i++)
		add_share(b, &view->threads[i]);
	b->contended = is_contended(b);
	for (size_t i = 0; i < view->thread_count; i++)
		add_edges(b, &view->threads[i]);
	if (b->contended)
		add_locks(b);
}

static int by_pair(const void *a, const void *b)
{
	return edge_compare_pairs(a, b);
}

int presumed_view(struct loop *view, const struct loop *part, const struct presumed *presumed)
{
	struct building b = { .plan = presumed, .view = view };

	*view = *part;
	if (!presumed->seen->looks)
		return 0;
	view->edge_count = 0;
	/* A thread works for one loop at most. One whose ID was another's before is there twice. */
	view->edges =
		scratch_take(presumed->scratch, 3 * view->thread_count + 1, sizeof(*view->edges));
	if (!view->edges)
		return -ENOMEM;
	for (size_t i = 0; i < view->thread_count; i++)
		if (!i || view->threads[i].tid != view->threads[i - 1].tid)
			add_edges_of(&b, &view->threads[i]);
	sort_in_place(view->edges, view->edge_count, sizeof(*view->edges), by_pair);
	return 0;
}

bool presumed_reads_always(const struct loop *loop, pid_t trainer, pid_t tid)
{
	for (size_t i = 0; i < loop->thread_count; i++) {
		const struct loop_thread *t = &loop->threads[i];

		if (t->pid == trainer && t->tid != tid &&
		    files_s(&t->all) >= always_reading * wall_s(loop))
			return true;
	}
	return false;
}
