// SPDX-License-Identifier: BSD-2-Clause
#include "judge/what_if.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "judge/reads.h"

static const double critical_share =
	0.9;                             /* of the trainer's waits: one producer works throughout */
static const double least_waited = 0.02; /* of the loop, for its producers to matter */
static const double most_off = 1.1;      /* of the loop: what the model may make of it */
static const double full_share = 0.8;    /* of the processors, or a limit: it holds the loop back */
static const double much_pct = 0.2;      /* of the producers' time */
static const double much_locked = 0.1;   /* likewise */
static const double least_computing = 0.1; /* likewise */
static const double much_queued = 0.1;     /* likewise */
static const double least_part = 0.01;     /* of the loop, to be worth a word */
static const double least_lost = 0.1;      /* of the overlap */
static const double single_pool = 1.05;
/* Measured: how much two sides near balance add to one another falls with what lies in store between them. */
static const double norm_by_worker = 8, norm_of_crowd = 4;

/* The loop as two sides, seconds of its steady part. */
struct model {
	const struct verdict *v;
	double loop, step;         /* L, A */
	double make;               /* P: all producers, without a limit */
	double cpus, interpreter;  /* C, G */
	double limit;              /* by bytes, as long as its limit lets it take */
	double own[BLAME_CLASSES]; /* of all producers */
	double all, at_once,
		locked;  /* their sum; how many worked while the trainer waited; waits for locks */
	double in_store; /* workers, each with batches of its own in store */
	bool crowd;      /* more threads that run or want to than there are processors */
	double processors;
	double limit_bytes_s;
	bool chain; /* one producer holds up all */
	double now, turns, rest;
};

/* What comes after a change. */
struct after {
	double loop;
	enum what_if_bound bound;
};

static double two_sides(const struct model *m, const struct removal *removed, double a, double b)
{
	double p = m->crowd ? norm_of_crowd :
			      norm_by_worker * m->in_store * (1 + removed->more_workers);
	double top = fmax(a, b);

	return top > 0 ? top * pow(pow(a / top, p) + pow(b / top, p), 1 / p) : 0;
}

/* Is it one that makes input? Of throttled reads the owner is not always known, but the control group. */
static bool makes_input(const struct verdict *v, const struct process_report *p)
{
	static const char group[] = "[cgroup ";

	if (!p->pid)
		return strncmp(p->comm, group, strlen(group)) == 0;
	if (v->input == INPUT_OWN)
		return p->pid == v->pid;
	for (size_t i = 0; i < v->producer_count; i++)
		if (v->producers[i].pid == p->pid)
			return true;
	return false;
}

/* Bytes a second that those who make input read of a device, from the first one's begin to the last one's end. */
static double reading_rate(const struct verdict *v, const struct report *report, uint32_t device)
{
	double first_s = report->seconds, last_s = 0, bytes = 0;

	for (size_t i = 0; i < report->process_count; i++) {
		const struct process_report *p = &report->processes[i];

		if (!makes_input(v, p))
			continue;
		for (size_t k = 0; k < p->io_count; k++)
			if (p->io[k].key.op == IO_READ && p->io[k].key.device == device)
				bytes += (double)p->io[k].bytes;
		if (!p->pid)
			continue;
		/* The trainer itself is older than its loop. */
		first_s = fmin(first_s, p->pid == v->pid ? v->startup_s : fmax(0, p->start_s));
		last_s = fmax(last_s, p->ended ? p->end_s : report->seconds);
	}
	return last_s > first_s ? bytes / (last_s - first_s) : 0;
}

/*
 * How long of the loop a limit takes for what was read: a throttle is a bucket of tokens, and waits look short though it
 * binds.
 */
static double limited_s(const struct verdict *v, const struct report *report,
			const struct limits *limits, double *limit_bytes_s)
{
	double longest = 0;

	for (size_t k = 0; limits && k < limits->device_count; k++) {
		const struct device_limit *limit = &limits->devices[k];
		double rate = reading_rate(v, report, limit->device);
		double needed = v->steady_s * fmin(1, rate / limit->read_bytes_s);

		if (needed > longest) {
			longest = needed;
			*limit_bytes_s = limit->read_bytes_s;
		}
	}
	return longest;
}

static double left_of(const struct producer *p, const struct removal *removed)
{
	double left = 0;

	for (int class = 0; class < BLAME_CLASSES; class ++)
		left += p->own_s[class] * (1 - removed->part[class]);
	return left;
}

/* The longest of those in the trainer's own process, where workers are other ones: more of these do nothing for it. */
static double stage_s(const struct model *m, const struct removal *removed)
{
	double longest = 0;

	for (size_t i = 0; m->v->input == INPUT_PROCESSES && i < m->v->producer_count; i++)
		if (m->v->producers[i].pid == m->v->pid)
			longest = fmax(longest, left_of(&m->v->producers[i], removed));
	return longest;
}

/* How long the producers need for what they made, if nothing held them up. */
static double making_s(const struct model *m, const struct removal *removed)
{
	double longest = 0, left = 0, made, even;

	for (size_t i = 0; i < m->v->producer_count; i++) {
		longest = fmax(longest, left_of(&m->v->producers[i], removed));
		left += left_of(&m->v->producers[i], removed);
	}
	if (m->all <= 0)
		return 0;
	made = m->chain ? longest : fmin(m->loop, m->all / m->at_once) * left / m->all;
	even = left / (double)m->v->producer_count;
	made -= removed->locks * fmax(0, made - even);
	return fmax(made / (1 + removed->more_workers),
		    removed->more_workers > 0 ? stage_s(m, removed) : 0);
}

static void add_producers(struct model *m)
{
	const struct verdict *v = m->v;
	double on_clock = 0, top = 0;

	if (v->waited_s < least_waited * v->steady_s)
		return;
	for (size_t i = 0; i < v->producer_count; i++) {
		const struct producer *p = &v->producers[i];
		double working = p->on_clock_s - p->blame_s[CLASS_LOCK];

		for (int class = 0; class < BLAME_CLASSES; class ++) {
			m->own[class] += p->own_s[class];
			m->all += p->own_s[class];
		}
		on_clock += working;
		top = fmax(top, working);
		m->locked += p->locked_s;
	}
	m->at_once = fmax(1, on_clock / v->waited_s);
	m->chain = top >= critical_share * v->waited_s;
	m->locked = on_clock + m->locked > 0 ? m->locked / (on_clock + m->locked) : 0;
}

static bool is_crowd(const struct model *m)
{
	double wanted =
		m->own[CLASS_CPU] + m->own[CLASS_RUNQUEUE] + m->v->own_cpu_s + m->v->own_runqueue_s;

	return m->cpus >= full_share * m->loop && wanted > m->processors * m->loop;
}

static double other_side(double make, double cpus, double interpreter, double limit)
{
	/* P and C are often the same computing: they meet by the larger one, or it would count twice. */
	return fmax(fmax(make, limit), fmax(cpus, interpreter));
}

static void build(struct model *m, const struct verdict *v, const struct report *report)
{
	static const struct removal nothing = { 0 };
	const struct limits *limits = report_find_limits(report, v->pid);
	double shorter;

	*m = (struct model){ .v = v,
			     .loop = v->steady_s,
			     .step = fmax(0, v->steady_s - v->waited_s),
			     .interpreter = v->interpreter_s,
			     .processors = limits && limits->cpus > 0 ? limits->cpus : v->cpus,
			     .at_once = 1 };
	m->cpus = m->processors > 0 ? v->busy_cpus * v->steady_s / m->processors : 0;
	add_producers(m);
	m->limit = m->all > 0 || v->input == INPUT_OWN ?
			   limited_s(v, report, limits, &m->limit_bytes_s) :
			   0;
	/* Where it is not known how many lived together: as many as worked. */
	m->in_store = fmax(1, fmax(verdict_live_workers(v), floor(m->at_once)));
	m->crowd = is_crowd(m);
	m->make = making_s(m, &nothing);
	m->now = two_sides(m, &nothing, m->step,
			   other_side(m->make, m->cpus, m->interpreter, m->limit));
	shorter = fmin(m->step, fmax(m->make, m->limit));
	m->turns = m->make > 0 && shorter > 0 ? fmin(1, fmax(0, m->loop - m->now) / shorter) : 0;
	/* What neither side explains stays, whatever is removed. */
	m->rest = fmax(0, m->loop - m->now - m->turns * shorter);
}

static double share_of(const struct model *m, enum verdict_class class)
{
	return m->all > 0 ? m->own[class] / m->all : 0;
}

static enum what_if_bound bound_of(const struct model *m, const struct removal *removed,
				   double step, double make, double cpus, double interpreter,
				   double limit)
{
	double storage = m->own[CLASS_STORAGE] * (1 - removed->part[CLASS_STORAGE]), left = 0;

	if (step >= other_side(make, cpus, interpreter, limit))
		return BOUND_TRAINER;
	if (limit >= other_side(make, cpus, interpreter, 0))
		return BOUND_LIMIT;
	/* Alike: what computes is short of processors. */
	if (cpus >= fmax(make, interpreter) * critical_share)
		return BOUND_CPUS;
	for (int class = 0; class < BLAME_CLASSES; class ++)
		left += m->own[class] * (1 - removed->part[class]);
	return storage > left / 2 && interpreter < make ? BOUND_DEVICE : BOUND_PRODUCERS;
}

static struct after without(const struct model *m, const struct removal *removed)
{
	const struct verdict *v = m->v;
	double cpu = removed->part[CLASS_CPU], queue = removed->part[CLASS_RUNQUEUE];
	/* What the trainer computes is left. */
	double own_cpus = m->processors > 0 ? fmin(m->cpus, v->own_cpu_s / m->processors) : 0;
	double make = making_s(m, removed);
	double limit = m->limit * (1 - removed->part[CLASS_STORAGE]);
	double interpreter = m->interpreter * (1 - cpu);
	double cpus = (m->cpus - cpu * (m->cpus - own_cpus)) * (1 - queue);
	double step = fmax(0, m->step - fmax(queue, cpu) * v->step_runqueue_s -
				      removed->checkpoints * v->own_write_s);
	double turns = m->turns * (1 - fmax(removed->turns, removed->checkpoints));

	return (struct after){
		.loop = two_sides(m, removed, step, other_side(make, cpus, interpreter, limit)) +
			turns * fmin(step, fmax(make, limit)) + m->rest,
		.bound = bound_of(m, removed, step, make, cpus, interpreter, limit),
	};
}

static double speedup_of(const struct model *m, const struct after *after)
{
	return after->loop > 0 ? fmax(m->loop, m->now) / after->loop : 1;
}

double what_if_speedup(const struct verdict *verdict, const struct report *report,
		       const struct removal *removed)
{
	struct after after;
	struct model m;

	build(&m, verdict, report);
	after = without(&m, removed);
	return speedup_of(&m, &after);
}

/* What a change removes. */
static struct removal removal_of(const struct model *m, enum what_if_change change)
{
	struct removal removed = { 0 };

	switch (change) {
	case CHANGE_STORAGE:
		removed.part[CLASS_STORAGE] = 1;
		break;
	case CHANGE_CPU:
		removed.part[CLASS_CPU] = 1;
		/* Who computes waits for a processor when it loses it, to its own job or to others. */
		if (m->cpus >= full_share * m->loop || share_of(m, CLASS_CPU) > least_computing)
			removed.part[CLASS_RUNQUEUE] = 1;
		break;
	case CHANGE_RUNQUEUE:
		removed.part[CLASS_RUNQUEUE] = 1;
		break;
	case CHANGE_LOCK:
		removed.locks = 1;
		break;
	case CHANGE_NETWORK:
		removed.part[CLASS_NETWORK] = 1;
		break;
	case CHANGE_CHECKPOINT:
		removed.checkpoints = 1;
		break;
	case CHANGE_WORKERS_X2:
		removed.more_workers = 1;
		break;
	case CHANGE_PREFETCH:
		removed.turns = 1;
		break;
	case CHANGES:
		break;
	}
	return removed;
}

struct teller {
	struct what_ifs *to;
	const struct verdict *verdict;
	const struct report *report;
	struct model model;
};

static void tell(struct teller *t, enum what_if_change change, double speedup,
		 enum what_if_bound bound)
{
	t->to->told[change] = true;
	t->to->list[t->to->count++] = (struct what_if){ .change = change,
							.speedup = speedup,
							.bound = bound,
							.at_least = change == CHANGE_CHECKPOINT };
}

static void tell_none(struct teller *t, enum what_if_untold why)
{
	for (int change = 0; change < CHANGES; change++)
		if (!t->to->told[change])
			t->to->untold[change] = why;
}

/* Is there more to be removed than a trace? */
static bool has_any(const struct model *m, enum what_if_change change)
{
	const struct verdict *v = m->v;

	switch (change) {
	case CHANGE_RUNQUEUE:
		return m->own[CLASS_RUNQUEUE] + v->own_runqueue_s > least_part * m->loop;
	case CHANGE_LOCK:
		return m->locked > least_part;
	case CHANGE_NETWORK:
		return m->own[CLASS_NETWORK] > least_part * m->loop;
	case CHANGE_CHECKPOINT:
		return v->own_write_s > least_part * m->loop;
	case CHANGE_PREFETCH:
		return m->turns > least_lost;
	default:
		return true;
	}
}

/*
 * Reads take as long as they take now, however many there are? A serial server and one that is merely slow look alike
 * otherwise, with opposite answers. Where a limit binds it is known what comes.
 */
static bool serves_more(const struct teller *t)
{
	const struct model *m = &t->model;
	struct reads reads;

	return share_of(m, CLASS_STORAGE) <= much_pct || m->limit >= full_share * m->loop ||
	       (reads_compare(&reads, t->verdict, t->report) && reads_serve_more(&reads));
}

static bool is_pool_unclear(const struct model *m)
{
	const struct verdict *v = m->v;

	if (v->input != INPUT_THREADS || v->interpreter_lock)
		return false;
	/* A pool larger than its calls looks like a lock, and its threads may spin while they have nothing to do. */
	return (v->producer_count > 1 && m->at_once <= single_pool) || share_of(m, CLASS_CPU) > 0.5;
}

/* Why it cannot be known; UNTOLD_REASONS: it can. */
static enum what_if_untold doubt(const struct teller *t, enum what_if_change change)
{
	const struct model *m = &t->model;
	const struct verdict *v = t->verdict;
	bool more = change == CHANGE_WORKERS_X2;

	if (change != CHANGE_CPU && change != CHANGE_LOCK && change != CHANGE_PREFETCH && !more)
		return UNTOLD_REASONS;
	if (v->looks && (change == CHANGE_LOCK || change == CHANGE_PREFETCH))
		return UNTOLD_BPF;
	if (more && !v->workers)
		return UNTOLD_NOBODY;
	if ((more || change == CHANGE_CPU) && m->locked > much_locked)
		return UNTOLD_LOCKED;
	/* One that reads alone goes on to do so when it works ahead. */
	if (!(change == CHANGE_PREFETCH && v->producer_count == 1)) {
		if (share_of(m, CLASS_NETWORK) > much_pct)
			return UNTOLD_SERVER;
		if (!serves_more(t))
			return UNTOLD_SERVING;
	}
	if (more && share_of(m, CLASS_RUNQUEUE) > much_queued)
		return UNTOLD_QUEUED;
	if (more && is_pool_unclear(m))
		return UNTOLD_POOL;
	return UNTOLD_REASONS;
}

/* What comes out is the best case of what is in doubt: it is told where even that is no gain. */
static void find_one(struct teller *t, enum what_if_change change)
{
	struct removal removed = removal_of(&t->model, change);
	struct after after = without(&t->model, &removed);
	double speedup = speedup_of(&t->model, &after);
	enum what_if_untold why = doubt(t, change);

	if (!has_any(&t->model, change))
		t->to->untold[change] = UNTOLD_NOTHING;
	else if (why == UNTOLD_REASONS || (speedup < WHAT_IF_LEAST_GAIN && why != UNTOLD_NOBODY))
		tell(t, change, speedup, after.bound);
	else
		t->to->untold[change] = why;
}

/* What it waits for is all that is known apart from the rest. */
static void find_own(struct teller *t)
{
	const struct verdict *v = t->verdict;
	const double gone[CHANGES] = {
		[CHANGE_STORAGE] = v->waited_s * v->blame_pct[CLASS_STORAGE] / 100,
		[CHANGE_NETWORK] = v->waited_s * v->blame_pct[CLASS_NETWORK] / 100,
		[CHANGE_RUNQUEUE] = v->own_runqueue_s,
		[CHANGE_CHECKPOINT] = v->own_write_s,
	};

	tell_none(t, UNTOLD_OWN);
	for (int change = 0; change < CHANGES; change++) {
		if (gone[change] > least_part * v->steady_s && gone[change] < v->steady_s)
			tell(t, (enum what_if_change)change,
			     v->steady_s / (v->steady_s - gone[change]), BOUND_TRAINER);
		else if (gone[change] > 0)
			t->to->untold[change] = UNTOLD_NOTHING;
	}
}

static int by_speedup(const void *a, const void *b)
{
	const struct what_if *x = a, *y = b;

	if (x->speedup > y->speedup || x->speedup < y->speedup)
		return x->speedup < y->speedup ? 1 : -1;
	return (int)x->change - (int)y->change;
}

void what_if_find(struct what_ifs *what_ifs, const struct verdict *verdict,
		  const struct report *report)
{
	struct teller t = { .to = what_ifs, .verdict = verdict, .report = report };

	*what_ifs = (struct what_ifs){ .count = 0 };
	build(&t.model, verdict, report);
	what_ifs->cpus = t.model.processors;
	what_ifs->limit_bytes_s = t.model.limit_bytes_s;
	if (verdict->interpreter_lock && !verdict->share_known)
		/* One thread at a time, however many there are: at best one runs all the time. */
		tell(&t, CHANGE_WORKERS_X2, fmax(1, verdict->steady_s / verdict->interpreter_s),
		     BOUND_PRODUCERS);
	if (verdict->class == CLASS_UNKNOWN || !verdict->share_known || verdict->steady_s <= 0)
		tell_none(&t, UNTOLD_CLASS);
	else if (verdict->class == CLASS_EXTERNAL)
		tell_none(&t, UNTOLD_OUTSIDE);
	else if (verdict->input == INPUT_OWN)
		find_own(&t);
	else if (t.model.now > most_off * t.model.loop)
		tell_none(&t, UNTOLD_CHECK);
	else
		for (int change = 0; change < CHANGES; change++)
			find_one(&t, (enum what_if_change)change);
	qsort(what_ifs->list, what_ifs->count, sizeof(what_ifs->list[0]), by_speedup);
}

const struct what_if *what_if_of(const struct what_ifs *what_ifs, enum what_if_change change)
{
	for (size_t i = 0; i < what_ifs->count; i++)
		if (what_ifs->list[i].change == change)
			return &what_ifs->list[i];
	return NULL;
}
