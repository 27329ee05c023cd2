// SPDX-License-Identifier: BSD-2-Clause
#include "judge/served.h"

#include <math.h>
#include <stdlib.h>

#include "base/units.h"
#include "judge/case.h"

static const double least_carried = 0.05; /* of the trainer's waits */
static const double least_carried_s = 0.1;
static const uint64_t fewest_waits =
	10; /* whoever starts or stops the job wakes it too, now and then */

/* init ends waits of many. So many processes are followed until it is known who carries most. */
enum { PID_OF_INIT = 1, MAX_CANDIDATES = 64 };

struct candidate {
	pid_t pid, trainer;
	double carried_s; /* of the thread that waited longest for it, on the waiting clock */
	double now_s;     /* the same of the thread that is looked at */
	uint64_t waits;
};

struct candidates {
	struct candidate list[MAX_CANDIDATES];
	size_t count;
};

static struct candidate *find_candidate(struct candidates *all, pid_t pid, pid_t trainer)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].pid == pid && all->list[i].trainer == trainer)
			return &all->list[i];
	if (all->count == MAX_CANDIDATES)
		return NULL;
	all->list[all->count] = (struct candidate){ .pid = pid, .trainer = trainer };
	return &all->list[all->count++];
}

/* A thread's time in the state that waits of a kind are in. */
static double kind_s(const struct ledger *ledger, unsigned int kind)
{
	switch (kind) {
	case EDGE_IPC:
		return duration_seconds(ledger->ns[LEDGER_IPC]);
	case EDGE_LOCK:
		return duration_seconds(ledger->ns[LEDGER_LOCK]);
	case EDGE_NETWORK:
		return duration_seconds(ledger->ns[LEDGER_NETWORK]);
	case EDGE_STORAGE:
		return storage_s(ledger);
	default:
		return 0; /* it hands something over: that is no input */
	}
}

/* Of waits of a kind, the part that was on the trainer's waiting clock. */
static double on_clock_s(const struct loop_thread *t, unsigned int kind, double waited_s)
{
	double all = kind_s(&t->all, kind);

	return all > 0 ? waited_s * fmin(1, kind_s(&t->waiting, kind) / all) : 0;
}

static void carry(struct candidates *all, const struct loop_thread *t,
		  const struct edge_report *edge, pid_t trainer)
{
	struct candidate *c;

	if (!edge_is_external(edge) || edge->waker_process <= PID_OF_INIT)
		return;
	c = find_candidate(all, edge->waker_process, trainer);
	if (!c)
		return;
	c->waits += edge->waits;
	for (unsigned int kind = 0; kind < EDGE_KINDS; kind++)
		c->now_s += on_clock_s(t, kind, duration_seconds(edge->ns[kind]));
}

/* It has no number of waits: what is counted is time, and that it was seen at the other end. */
static void carry_peer(struct candidates *all, const struct loop_thread *t,
		       const struct peer_report *peer, pid_t trainer)
{
	struct candidate *c =
		peer->server > PID_OF_INIT ? find_candidate(all, peer->server, trainer) : NULL;

	if (!c)
		return;
	c->waits += fewest_waits;
	c->now_s += on_clock_s(t, peer->kind, duration_seconds(peer->ns));
}

static void thread_done(struct candidates *all)
{
	for (size_t i = 0; i < all->count; i++) {
		all->list[i].carried_s = fmax(all->list[i].carried_s, all->list[i].now_s);
		all->list[i].now_s = 0;
	}
}

/* Edges and peers are in the order of the threads that waited, as threads are. */
static void find_candidates(struct candidates *all, const struct loop *seen,
			    const struct roles *roles, const struct peer_report *peers,
			    size_t peer_count)
{
	size_t edge = 0, peer = 0;

	for (size_t i = 0; i < seen->thread_count; i++) {
		const struct loop_thread *t = &seen->threads[i];
		const struct role *role = roles_of(roles, t->pid);

		while (edge < seen->edge_count && seen->edges[edge].wakee_tid < t->tid)
			edge++;
		while (peer < peer_count && peers[peer].tid < t->tid)
			peer++;
		if (!role)
			continue;
		for (; edge < seen->edge_count && seen->edges[edge].wakee_tid == t->tid; edge++)
			carry(all, t, &seen->edges[edge], role->trainer_pid);
		for (; peer < peer_count && peers[peer].tid == t->tid; peer++)
			carry_peer(all, t, &peers[peer], role->trainer_pid);
		thread_done(all);
	}
}

static bool is_worth_it(const struct candidate *c, const struct loop *seen)
{
	const struct loop_process *trainer = loop_find_process(seen, c->trainer);

	return trainer && !loop_find_process(seen, c->pid) && c->waits >= fewest_waits &&
	       c->carried_s >= least_carried_s &&
	       c->carried_s >= least_carried * duration_seconds(trainer->clock_ns);
}

static int by_carried(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->carried_s < y->carried_s) - (x->carried_s > y->carried_s);
}

size_t served_choose(struct served_choice list[MAX_SERVERS], const struct loop *seen,
		     const struct roles *roles, const struct peer_report *peers, size_t peer_count)
{
	struct candidates all = { .count = 0 };
	size_t count = 0;

	find_candidates(&all, seen, roles, peers, peer_count);
	qsort(all.list, all.count, sizeof(*all.list), by_carried);
	for (size_t i = 0; i < all.count && count < MAX_SERVERS; i++)
		if (is_worth_it(&all.list[i], seen))
			list[count++] = (struct served_choice){ .pid = all.list[i].pid,
								.trainer = all.list[i].trainer };
	return count;
}

/* What a thread waited for: by cause, in any unit. */
enum { CAUSE_CLASSES = 3 };

static const enum verdict_class causes[CAUSE_CLASSES] = { CLASS_STORAGE, CLASS_NETWORK,
							  CLASS_EXTERNAL };

/* One whose waits a server may have carried, and how long they were, or what part of the blame. */
struct blamed {
	pid_t tid;
	double waits[CAUSE_CLASSES];
};

static const struct thread_report *find_thread(const struct report *report, pid_t tid)
{
	for (size_t i = 0; i < report->process_count; i++)
		for (size_t k = 0; k < report->processes[i].thread_count; k++)
			if (report->processes[i].thread_rows[k].tid == tid)
				return &report->processes[i].thread_rows[k];
	return NULL;
}

/* How long threads of `server` ended waits of the thread, of one kind; 0: of any process outside the job. */
static double ended_s(const struct report *report, pid_t tid, pid_t server, enum edge_kind kind)
{
	double sum = 0;

	for (size_t i = 0; i < report->edge_count; i++) {
		const struct edge_report *e = &report->edges[i];

		if (e->wakee_tid == tid && edge_is_external(e) &&
		    (!server || e->waker_process == server))
			sum += duration_seconds(e->ns[kind]);
	}
	return sum;
}

static double peer_s(const struct report *report, pid_t tid, pid_t server, enum edge_kind kind)
{
	double sum = 0;

	for (size_t i = 0; i < report->peer_count; i++)
		if (report->peers[i].tid == tid && report->peers[i].server == server &&
		    report->peers[i].kind == kind)
			sum += duration_seconds(report->peers[i].ns);
	return sum;
}

/* The part of a thread's waits of one cause that the server carried. */
static double part_of(const struct report *report, pid_t tid, pid_t server,
		      enum verdict_class cause)
{
	const struct thread_report *t = find_thread(report, tid);
	double all, carried;

	if (!t)
		return 0;
	switch (cause) {
	case CLASS_STORAGE:
		all = storage_s(&t->ledger);
		carried = ended_s(report, tid, server, EDGE_STORAGE) +
			  peer_s(report, tid, server, EDGE_STORAGE);
		break;
	case CLASS_NETWORK:
		all = class_s(&t->ledger, LEDGER_NETWORK);
		carried = ended_s(report, tid, server, EDGE_NETWORK) +
			  peer_s(report, tid, server, EDGE_NETWORK);
		break;
	default:
		all = ended_s(report, tid, 0, EDGE_IPC) + ended_s(report, tid, 0, EDGE_LOCK);
		carried = ended_s(report, tid, server, EDGE_IPC) +
			  ended_s(report, tid, server, EDGE_LOCK);
	}
	return all > 0 ? fmin(1, carried / all) : 0;
}

/*
 * Whose waits the verdict is about, and `total`, which would be all of the blame: critical producers; the trainer itself where
 * there are none.
 */
static size_t find_blamed(struct blamed *list, const struct verdict *v, double *total)
{
	double idle = v->blame_pct[CLASS_PIPELINE] / 100, worked = 0;
	size_t count = 0;

	for (size_t i = 0; v->input != INPUT_OWN && i < v->producer_count; i++) {
		const struct producer *p = &v->producers[i];

		if (!p->critical)
			continue;
		worked += p->on_clock_s;
		list[count].tid = p->tid;
		for (int k = 0; k < CAUSE_CLASSES; k++)
			list[count].waits[k] = p->blame_s[causes[k]];
		count++;
	}
	*total = idle < 1 ? worked / (1 - idle) : 0;
	if (count)
		return count;
	*total = 100;
	list[0].tid = v->tid;
	for (int k = 0; k < CAUSE_CLASSES; k++)
		list[0].waits[k] = v->blame_pct[causes[k]];
	return 1;
}

static void weigh(struct served *s, const struct report *report, const struct blamed *list,
		  size_t count, double total)
{
	double carried[CAUSE_CLASSES] = { 0 }, waits[CAUSE_CLASSES] = { 0 }, sum = 0;
	int largest = 0;

	for (int k = 0; k < CAUSE_CLASSES; k++) {
		for (size_t i = 0; i < count; i++) {
			if (list[i].waits[k] <= 0)
				continue;
			waits[k] += list[i].waits[k];
			carried[k] += list[i].waits[k] *
				      part_of(report, list[i].tid, s->process->pid, causes[k]);
		}
		sum += carried[k];
		if (carried[k] > carried[largest])
			largest = k;
	}
	s->class = causes[largest];
	s->class_pct = waits[largest] > 0 ? 100 * carried[largest] / waits[largest] : 0;
	s->pct = total > 0 ? 100 * sum / total : 0;
}

static bool wakes_the_job(const struct report *report, pid_t tid)
{
	for (size_t i = 0; i < report->edge_count; i++)
		if (report->edges[i].waker_tid == tid)
			return true;
	return false;
}

/*
 * What counts as work for the job: not waits for work or for one another, nor what is not known. A thread that sleeps by the clock
 * and answers nobody only looks after something.
 */
static bool is_work(unsigned int class, bool answers)
{
	return class != LEDGER_LOCK && class != LEDGER_OTHER && (class != LEDGER_SLEEP || answers);
}

static void add_work(double split_s[LEDGER_CLASSES], const struct ledger *ledger, bool answers)
{
	for (unsigned int class = 0; class < LEDGER_CLASSES; class ++)
		if (is_work(class, answers))
			split_s[class] += class_s(ledger, class);
}

/* One that never ran waits for work all the time, and nothing has told so yet. */
static bool has_run(const struct thread_report *t)
{
	return t->ledger.ns[LEDGER_CPU] > 0;
}

static void add_split(double split_s[LEDGER_CLASSES], const struct report *report,
		      const struct process_report *p, bool on_clock)
{
	struct ledger ended = on_clock ? p->waiting : p->ledger;
	bool any_answers = false;

	for (size_t i = 0; i < p->thread_count; i++)
		any_answers = any_answers || wakes_the_job(report, p->thread_rows[i].tid);
	for (size_t i = 0; i < p->thread_count; i++) {
		const struct thread_report *t = &p->thread_rows[i];
		const struct ledger *ledger = on_clock ? &t->waiting : &t->ledger;

		for (int state = 0; state < LEDGER_STATES; state++)
			ended.ns[state] -= ledger->ns[state] < ended.ns[state] ? ledger->ns[state] :
										 ended.ns[state];
		if (has_run(t))
			add_work(split_s, ledger, !any_answers || wakes_the_job(report, t->tid));
	}
	/* Threads that ended have no rows. */
	add_work(split_s, &ended, !any_answers);
}

static void split(struct served *s, const struct report *report)
{
	double split_s[LEDGER_CLASSES] = { 0 }, sum = 0;

	s->on_clock = ledger_wall_ns(&s->process->waiting) > 0;
	add_split(split_s, report, s->process, s->on_clock);
	for (int class = 0; class < LEDGER_CLASSES; class ++)
		sum += split_s[class];
	s->split_known = sum > 0;
	for (int class = 0; s->split_known && class < LEDGER_CLASSES; class ++)
		s->split_pct[class] = 100 * split_s[class] / sum;
}

static int by_pct(const void *a, const void *b)
{
	const struct served *x = a, *y = b;

	return (x->pct < y->pct) - (x->pct > y->pct);
}

size_t served_find(struct served list[MAX_SERVERS], const struct verdict *verdict,
		   const struct report *report)
{
	struct blamed *blamed = calloc(verdict->producer_count + 1, sizeof(*blamed));
	size_t blamed_count, count = 0;
	double total;

	if (!blamed)
		return 0;
	blamed_count = find_blamed(blamed, verdict, &total);
	for (size_t i = 0; i < report->process_count && count < MAX_SERVERS; i++) {
		struct served s = { .process = &report->processes[i] };

		if (!s.process->server)
			continue;
		weigh(&s, report, blamed, blamed_count, total);
		if (s.pct < 100 * least_carried)
			continue;
		split(&s, report);
		list[count++] = s;
	}
	free(blamed);
	qsort(list, count, sizeof(*list), by_pct);
	return count;
}

unsigned int served_largest(const struct served *served)
{
	unsigned int largest = 0;

	for (unsigned int class = 1; class < LEDGER_CLASSES; class ++)
		if (served->split_pct[class] > served->split_pct[largest])
			largest = class;
	return largest;
}
