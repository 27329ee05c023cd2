// SPDX-License-Identifier: BSD-2-Clause
#include "judge/judge.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/units.h"
#include "judge/blame.h"
#include "judge/case.h"
#include "judge/presumed.h"
#include "judge/roles.h"
#include "judge/sampled.h"
#include "judge/steady.h"
#include "model/edges.h"

/* The limits of the TensorFlow Profiler are 5 and 20 %. */
static const double least_input_bound = VERDICT_LEAST_INPUT_BOUND_PCT / 100;
static const double least_told = 0.7; /* of the trainer's waits, ended by those who make input */
static const double least_lost = 0.5; /* of the shorter side, for taking turns */
static const double least_own_reading = 0.01; /* of the loop: then it makes its data itself */
static const double shortest_s = 2;
static const uint64_t fewest_waits = 10;
static const double least_of_busiest = 0.5;

/* Ranks on one host, with room. Stretches times threads that are looked at one by one. */
enum { MAX_TRAINERS = 16, MOST_THREAD_STRETCHES = 500000 };

static void unknown(struct verdict *v, enum verdict_reason reason)
{
	v->class = CLASS_UNKNOWN;
	v->reason = reason;
	v->confidence = CONFIDENCE_LOW;
	v->share_known = false;
	for (int class = 0; class < BLAME_CLASSES; class ++)
		v->blame_pct[class] = 0;
}

/* Its own time outweighs its waits. */
static bool own_cause(struct verdict *v)
{
	double limit = fmax(v->waited_s, least_input_bound * v->steady_s);

	if (v->own_write_s > limit)
		v->class = CLASS_CHECKPOINT;
	else if (v->own_runqueue_s > limit)
		v->class = CLASS_RUNQUEUE;
	else
		return false;
	return true;
}

/* Threads of its own process end waits, and what they are for is not clear. */
static bool unclear_inside(const struct case_file *c)
{
	for (size_t i = 0; i < c->loop->thread_count; i++)
		if (c->part[i] == PART_UNCLEAR && c->loop->threads[i].pid == c->process->pid)
			return true;
	return false;
}

static void set_confidence(struct verdict *v, double told)
{
	v->confidence = v->steady_s < 5 || told < 0.85  ? CONFIDENCE_LOW :
			v->steady_s < 10 || told < 0.95 ? CONFIDENCE_MEDIUM :
							  CONFIDENCE_HIGH;
}

/* Processes that make its input, or else threads of its own that do. */
static void count_workers(struct verdict *v, const struct case_file *c)
{
	unsigned int inside = 0, ended = 0;

	for (size_t i = 0; i < c->loop->thread_count; i++) {
		const struct loop_thread *t = &c->loop->threads[i];
		bool worker = t->pid != c->process->pid && t->tid == t->pid &&
			      (case_is_input(c, i) || case_is_sibling(c, i));

		v->workers += worker;
		ended += worker && t->ended;
		inside += c->part[i] == PART_INSIDE;
	}
	v->replaced = ended;
	v->input = v->workers ? INPUT_PROCESSES : inside ? INPUT_THREADS : INPUT_NONE;
	if (v->input == INPUT_THREADS)
		v->workers = inside;
}

static void decide_by_blame(struct verdict *v, const struct case_file *c)
{
	bool sure = blame_share(v, c);

	if (v->class == CLASS_LOCK)
		return;
	v->overlap_lost = blame_overlap_lost(v);
	if (v->overlap_lost >= least_lost)
		v->class = CLASS_PIPELINE;
	else if (!sure)
		v->confidence = CONFIDENCE_LOW;
}

static void set_waited(struct verdict *v, const struct case_file *c, double waited_s)
{
	v->waited_s = fmax(0, fmin(waited_s, c->wall_s));
	v->input_bound_pct = 100 * v->waited_s / c->wall_s;
}

/* It makes its data itself: only what it waits for meanwhile is told from its step. */
static void decide_own(struct verdict *v, const struct case_file *c, double reading)
{
	v->input = INPUT_OWN;
	set_waited(v, c, reading);
	set_confidence(v, 1);
	if (own_cause(v))
		return;
	if (reading < least_input_bound * v->steady_s)
		unknown(v, REASON_OWN_CPU);
	else
		blame_share_own(v, c);
}

/* Is there anybody else who could make its input? */
static bool sees_input(const struct case_file *c)
{
	for (size_t i = 0; i < c->loop->thread_count; i++)
		if (&c->loop->threads[i] != c->thread &&
		    (case_is_input(c, i) || case_is_sibling(c, i) || c->part[i] == PART_UNCLEAR))
			return true;
	return false;
}

/* Waits that may as well be for its step, and no marker that tells. */
static enum verdict_reason why_unclear(const struct case_file *c, double inside_s)
{
	if (c->loop->looks)
		return REASON_NOT_SEEN;
	if (c->process->frameworks & FRAMEWORK_TENSORFLOW)
		return REASON_NO_MARKER;
	return inside_s > 0 || unclear_inside(c) ? REASON_SAME_PROCESS : REASON_UNCLEAR;
}

/* A pool of TensorFlow makes input and steps alike, unless it is always in reads: then it is never full. */
static bool pool_is_unclear(const struct case_file *c, double inside_s)
{
	if (inside_s <= 0 || !(c->process->frameworks & FRAMEWORK_TENSORFLOW))
		return false;
	return !c->loop->looks || !presumed_reads_always(c->loop, c->process->pid, c->thread->tid);
}

/* The largest part of its waits was ended by threads of processes that are not of the job. */
static bool is_external(const struct case_file *c, double waited_s)
{
	size_t trainer = (size_t)(c->thread - c->loop->threads);
	double outside = 0;

	for (size_t k = c->ends.by_wakee.first[trainer]; k < c->ends.by_wakee.first[trainer + 1];
	     k++) {
		const struct edge_report *e = &c->loop->edges[c->ends.by_wakee.list[k]];

		if (edge_is_external(e))
			outside += edge_s(e);
	}
	return outside > least_told * waited_s;
}

/* The framework's own calls tell what is input, whatever else the threads wait for. */
static void decide_marked(struct verdict *v, const struct case_file *c)
{
	set_waited(v, c, c->clock_s);
	blame_find_producers(v, c);
	set_confidence(v, 1);
	v->input = INPUT_THREADS;
	if (own_cause(v))
		return;
	if (v->input_bound_pct < 100 * least_input_bound)
		v->class = CLASS_NOT_INPUT_BOUND;
	else if (!v->producer_count)
		unknown(v, REASON_NO_INPUT);
	else
		decide_by_blame(v, c);
}

/*
 * Hand-overs of the trainer's loop: waits of it that others ended, and of others that it ended. A program that starts others and
 * waits for their ends does so with each a few times.
 */
static uint64_t waits_of(const struct loop *loop, pid_t tid)
{
	uint64_t waits = 0;

	for (size_t i = 0; i < loop->edge_count; i++)
		if (loop->edges[i].waits >= TIED_WAITS &&
		    (loop->edges[i].wakee_tid == tid || loop->edges[i].waker_tid == tid))
			waits += loop->edges[i].waits;
	return waits;
}

/*
 * The clock runs in its own reads too, and in waits for its own threads, and after each wait until it has a processor: of that
 * the part behind such waits.
 */
static double queued_after_s(const struct case_file *c, double waits_s)
{
	double queued_s = class_s(&c->thread->waiting, LEDGER_RUNQUEUE);
	double all_s = c->clock_s - queued_s;

	return all_s > 0 ? queued_s * fmin(1, waits_s / all_s) : 0;
}

static void decide(struct verdict *v, const struct case_file *c)
{
	const struct ledger *all = &c->thread->all, *waiting = &c->thread->waiting;
	double outside_s = case_waited_s(c, PART_OUTSIDE), inside_s = case_waited_s(c, PART_INSIDE);
	double step_s = case_waited_s(c, PART_STEP), unclear_s = case_waited_s(c, PART_UNCLEAR);
	double other_s = step_s + case_waited_s(c, PART_TAKES);
	double sent_s = duration_seconds(all->ns[LEDGER_SEND]);
	double reading = fetching_s(all);
	double not_input_s = storage_s(waiting) + class_s(waiting, LEDGER_NETWORK) + other_s +
			     duration_seconds(waiting->ns[LEDGER_SEND]);
	double waited_s = class_s(all, LEDGER_IPC) + class_s(all, LEDGER_LOCK) - sent_s - other_s;
	double told = waited_s > 0 ? fmin(1, (outside_s + inside_s) / waited_s) : 1;
	bool with_trainer;

	v->interpreter_s = blame_interpreter_lock_s(c, &with_trainer);
	v->interpreter_lock = v->interpreter_s > 0;
	set_waited(v, c, c->clock_s - not_input_s - queued_after_s(c, not_input_s));
	blame_find_producers(v, c);
	set_confidence(v, told);
	/* Its waits are for the lock too, or for threads of which nobody knows what they make. */
	if (v->interpreter_lock && (with_trainer || outside_s + inside_s <= 0)) {
		unknown(v, REASON_SAME_LOCK);
		v->class = CLASS_LOCK;
	} else if (reading > v->waited_s &&
		   reading > (v->workers ? least_input_bound : least_own_reading) * v->steady_s) {
		decide_own(v, c, reading);
	} else if (own_cause(v)) {
		v->share_known = sees_input(c);
	} else if (waits_of(c->loop, c->thread->tid) < fewest_waits) {
		unknown(v, sees_input(c) ? REASON_SHORT : REASON_OWN_CPU);
	} else if (v->input_bound_pct >= 100 * least_input_bound && told < least_told &&
		   is_external(c, waited_s)) {
		v->class = CLASS_EXTERNAL;
		v->blame_pct[CLASS_EXTERNAL] = 100;
	} else if (!sees_input(c)) {
		unknown(v, v->input_bound_pct < 100 * least_input_bound ? REASON_OWN_CPU :
									  REASON_NO_INPUT);
	} else if (v->input_bound_pct < 100 * least_input_bound) {
		v->class = CLASS_NOT_INPUT_BOUND;
	} else if (duration_seconds(c->loop->ended_ns) > LEAST_BUSY * c->wall_s) {
		unknown(v, REASON_ENDED);
	} else if (pool_is_unclear(c, inside_s) ||
		   (told < least_told && unclear_s > (1 - least_told) * waited_s)) {
		unknown(v, why_unclear(c, inside_s));
	} else if (!v->producer_count) {
		unknown(v, REASON_NO_INPUT);
	} else if (told < least_told) {
		unknown(v, REASON_UNCLEAR);
	} else if (v->interpreter_lock && inside_s > outside_s) {
		blame_share(v, c);
		v->class = CLASS_LOCK;
	} else {
		decide_by_blame(v, c);
	}
}

static bool is_enough(const struct case_file *c)
{
	return c->wall_s >= shortest_s && (c->process->marked || c->process->frameworks ||
					   waits_of(c->loop, c->thread->tid) >= fewest_waits);
}

static void describe(struct verdict *v, const struct case_file *c, double cpus)
{
	double cpu = duration_seconds(c->loop->left_out_cpu_ns);

	for (size_t i = 0; i < c->loop->thread_count; i++)
		cpu += class_s(&c->loop->threads[i].all, LEDGER_CPU);
	v->cpus = cpus;
	v->busy_cpus = c->wall_s > 0 ? cpu / c->wall_s : 0;
	if (!c->thread)
		return;
	v->share_known = true;
	v->marked = c->process->marked;
	v->frameworks = c->process->frameworks;
	v->own_write_s = writing_s(&c->thread->all);
	v->own_runqueue_s = class_s(&c->thread->all, LEDGER_RUNQUEUE);
	v->step_runqueue_s =
		fmax(0, v->own_runqueue_s - class_s(&c->thread->waiting, LEDGER_RUNQUEUE));
	v->own_cpu_s = class_s(&c->thread->all, LEDGER_CPU);
	count_workers(v, c);
}

static int judge_case(struct verdict *verdict, struct scratch *scratch, const struct loop *part,
		      double cpus, bool any_length)
{
	struct case_file c;
	int err = case_open(&c, scratch, part, verdict->pid, verdict->tid);

	if (err)
		return err;
	verdict->steady_s = c.wall_s;
	describe(verdict, &c, cpus);
	if (!c.thread || c.wall_s <= 0 || (!any_length && !is_enough(&c)))
		unknown(verdict, REASON_SHORT);
	else if (c.process->marked)
		decide_marked(verdict, &c);
	else
		decide(verdict, &c);
	return 0;
}

static int judge_part(struct verdict *verdict, struct scratch *scratch, const struct loop *part,
		      double cpus, bool any_length)
{
	struct scratch_mark mark;
	int err;

	verdict->startup_class = CLASS_UNKNOWN;
	verdict->producers =
		scratch_take(scratch, part->thread_count + 1, sizeof(*verdict->producers));
	if (!verdict->producers)
		return -ENOMEM;
	mark = scratch_mark(scratch);
	err = judge_case(verdict, scratch, part, cpus, any_length);
	scratch_release(scratch, mark);
	return err;
}

int judge(struct verdict *verdict, struct scratch *scratch, const struct loop *steady,
	  pid_t trainer, pid_t tid, double cpus)
{
	*verdict = (struct verdict){ .pid = trainer, .tid = tid };
	return judge_part(verdict, scratch, steady, cpus, false);
}

int judge_stretch(struct verdict *verdict, struct scratch *scratch, const struct loop *stretch,
		  pid_t trainer, pid_t tid, double cpus)
{
	*verdict = (struct verdict){ .pid = trainer, .tid = tid };
	return judge_part(verdict, scratch, stretch, cpus, true);
}

unsigned int verdict_live_workers(const struct verdict *verdict)
{
	return verdict->replaced < verdict->workers ? verdict->workers - verdict->replaced : 0;
}

/* What is found out about a process of a run before anything is judged; by the index of its role. */
struct candidate {
	unsigned int workers;
	uint64_t waits; /* hand-overs of its loop's thread */
	double busy_s;  /* that thread: running, queueing, reading */
	bool gpu;       /* it was seen to wait for one */
};

struct run {
	const struct loop *stretches;
	size_t count;
	const struct loop *all; /* of them */
	const struct roles *roles;
	struct scratch *scratch;
	struct candidate *candidates;
	double cpus;
};

static size_t index_of(const struct run *run, const struct role *role)
{
	return (size_t)(role - run->roles->list);
}

static void add_waits(const struct run *run, const struct edge_report *edge, pid_t pid, pid_t tid)
{
	const struct role *role = roles_of(run->roles, pid);

	if (role && role->tid == tid)
		run->candidates[index_of(run, role)].waits += edge->waits;
}

/* Who might be a trainer. Returns 0 or -ENOMEM. */
static int run_open(struct run *run)
{
	run->candidates =
		scratch_take(run->scratch, run->roles->count + 1, sizeof(*run->candidates));
	if (!run->candidates)
		return -ENOMEM;
	for (size_t i = 0; i < run->roles->count; i++) {
		const struct role *role = &run->roles->list[i];
		const struct role *trainer = roles_of(run->roles, role->trainer_pid);

		if (trainer && trainer != role)
			run->candidates[index_of(run, trainer)].workers++;
	}
	for (size_t i = 0; i < run->all->thread_count; i++) {
		const struct loop_thread *t = &run->all->threads[i];
		const struct role *role = roles_of(run->roles, t->pid);
		struct candidate *c = role ? &run->candidates[index_of(run, role)] : NULL;

		if (!c)
			continue;
		c->gpu = c->gpu || t->all.ns[LEDGER_GPU];
		if (t->tid == role->tid)
			c->busy_s = class_s(&t->all, LEDGER_CPU) +
				    class_s(&t->all, LEDGER_RUNQUEUE) + reading_s(&t->all);
	}
	for (size_t k = 0; k < run->all->edge_count; k++) {
		const struct edge_report *e = &run->all->edges[k];

		if (e->waits < TIED_WAITS)
			continue;
		add_waits(run, e, e->wakee_pid, e->wakee_tid);
		add_waits(run, e, e->waker_pid, e->waker_tid);
	}
	return 0;
}

static bool belongs(const struct run *run, pid_t pid, pid_t trainer)
{
	const struct role *role = roles_of(run->roles, pid);

	return role && role->trainer_pid == trainer;
}

/* What the trainer and those who work for it did in one stretch: others only cost time here. */
static int take_part(struct loop *part, const struct run *run, const struct loop *stretch,
		     pid_t trainer)
{
	*part = (struct loop){ .wall_ns = stretch->wall_ns,
			       .looks = stretch->looks,
			       .ended_ns = stretch->ended_ns };
	part->threads =
		scratch_take(run->scratch, stretch->thread_count + 1, sizeof(*part->threads));
	part->processes =
		scratch_take(run->scratch, stretch->process_count + 1, sizeof(*part->processes));
	part->edges = scratch_take(run->scratch, stretch->edge_count + 1, sizeof(*part->edges));
	if (!part->threads || !part->processes || !part->edges)
		return -ENOMEM;
	for (size_t i = 0; i < stretch->thread_count; i++)
		if (belongs(run, stretch->threads[i].pid, trainer))
			part->threads[part->thread_count++] = stretch->threads[i];
		else
			part->left_out_cpu_ns += stretch->threads[i].all.ns[LEDGER_CPU];
	for (size_t i = 0; i < stretch->process_count; i++)
		if (belongs(run, stretch->processes[i].pid, trainer))
			part->processes[part->process_count++] = stretch->processes[i];
	for (size_t i = 0; i < stretch->edge_count; i++)
		if (belongs(run, stretch->edges[i].wakee_pid, trainer) ||
		    belongs(run, stretch->edges[i].waker_pid, trainer))
			part->edges[part->edge_count++] = stretch->edges[i];
	return 0;
}

static int add_part(struct loop *sum, const struct run *run, const struct loop *stretch,
		    pid_t trainer)
{
	struct scratch_mark mark = scratch_mark(run->scratch);
	struct loop part;
	int err = take_part(&part, run, stretch, trainer);

	if (!err)
		err = loop_add(sum, &part);
	scratch_release(run->scratch, mark);
	return err;
}

static int add_parts(struct loop *sum, const struct run *run, size_t first, size_t last,
		     pid_t trainer)
{
	int err = 0;

	*sum = (struct loop){ 0 };
	for (size_t i = first; !err && i < last; i++)
		err = add_part(sum, run, &run->stretches[i], trainer);
	roles_apply(run->roles, sum);
	return err;
}

static int judge_startup(struct verdict *v, const struct run *run, size_t first)
{
	struct loop before;
	int err = add_parts(&before, run, 0, first, v->pid);

	v->startup_s = wall_s(&before);
	if (!err && first)
		v->startup_class = steady_startup_class(&before, v->pid, v->tid);
	loop_free(&before);
	return err;
}

static int judge_interval(struct verdict *v, const struct run *run, const struct loop *interval,
			  struct shares_seen *shares)
{
	struct scratch_mark mark = scratch_mark(run->scratch);
	struct loop part;
	struct verdict one;
	int err = take_part(&part, run, interval, v->pid);

	roles_apply(run->roles, &part);
	if (!err)
		err = judge_stretch(&one, run->scratch, &part, v->pid, v->tid, run->cpus);
	if (!err) {
		v->interval_classes[one.class]++;
		if (one.share_known)
			sampled_add(shares, one.input_bound_pct);
	}
	scratch_release(run->scratch, mark);
	return err;
}

/* How often which class came out, stretch by stretch; not where that would take long. */
static int judge_intervals(struct verdict *v, const struct run *run, const struct steady *steady,
			   size_t threads, struct shares_seen *shares)
{
	int err = 0;

	if (threads * (steady->last - steady->first) > MOST_THREAD_STRETCHES)
		return 0;
	for (size_t i = steady->first; !err && i < steady->last; i++)
		err = judge_interval(v, run, &run->stretches[i], shares);
	return err;
}

static int find_steady(struct steady *steady, const struct run *run, const struct role *role)
{
	struct scratch_mark mark = scratch_mark(run->scratch);
	struct case_file whole;
	struct loop all;
	int err = take_part(&all, run, run->all, role->pid);

	roles_apply(run->roles, &all);
	if (!err)
		err = case_open(&whole, run->scratch, &all, role->pid, role->tid);
	if (!err)
		*steady = steady_find(&whole, run->roles, run->stretches, run->count);
	scratch_release(run->scratch, mark);
	return err;
}

static int judge_trainer(struct verdict *verdict, const struct run *run, const struct role *role)
{
	struct loop part = { 0 };
	struct steady steady = { 0 };
	struct shares_seen shares = { 0 };
	int err = find_steady(&steady, run, role);

	if (!err)
		err = add_parts(&part, run, steady.first, steady.last, role->pid);
	if (!err)
		err = judge(verdict, run->scratch, &part, role->pid, role->tid, run->cpus);
	/* Nothing but the clock tells a sampled trainer's waits, and it never followed the right thread. */
	if (!err && part.looks && !steady.found && verdict->share_known)
		unknown(verdict, REASON_SHORT);
	if (!err)
		err = judge_startup(verdict, run, steady.first);
	if (!err && verdict->class != CLASS_UNKNOWN)
		err = judge_intervals(verdict, run, &steady, part.thread_count, &shares);
	sampled_rate(verdict, &shares, part.looks);
	loop_free(&part);
	return err;
}

/*
 * It works for nobody else, and is handed things again and again, or hands them over: by others that work for it, or by threads of
 * its own in a program that might train. Shells and launchers wait once.
 */
static bool is_trainer(const struct run *run, const struct role *role)
{
	const struct loop_process *p = loop_find_process(run->all, role->pid);
	const struct candidate *c = &run->candidates[index_of(run, role)];

	if (!p || role->trainer_pid != role->pid)
		return false;
	if (p->marked)
		return true;
	return c->waits >= fewest_waits && (c->workers || (role->fed && (p->frameworks || c->gpu)));
}

/*
 * Might it be one all the same? A process of a framework that reads its data itself, or nobody sees how it gets them. A server
 * waits for its clients as others do for data.
 */
static bool may_train(const struct run *run, const struct role *role)
{
	const struct loop_process *p = loop_find_process(run->all, role->pid);
	ssize_t at = loop_find_thread(run->all, role->tid);
	const struct ledger *all = at < 0 ? NULL : &run->all->threads[at].all;

	if (!p || !all || !p->frameworks || role->trainer_pid != role->pid)
		return false;
	return p->frameworks != FRAMEWORK_PYTHON ||
	       class_s(all, LEDGER_NETWORK) <= class_s(all, LEDGER_CPU) + storage_s(all);
}

typedef bool choose_fn(const struct run *run, const struct role *role);

/* Up to MAX_TRAINERS of them, the busiest first, none below a part of the first one. Returns how many. */
static size_t choose(const struct role *chosen[MAX_TRAINERS], const struct run *run,
		     choose_fn *is_such, double least_s, double least_part)
{
	size_t count = 0;

	for (size_t i = 0; i < run->roles->count; i++) {
		const struct role *role = &run->roles->list[i];
		double busy_s = run->candidates[i].busy_s;
		size_t at = count;

		if (busy_s < least_s || !is_such(run, role))
			continue;
		for (; at && run->candidates[index_of(run, chosen[at - 1])].busy_s < busy_s; at--)
			if (at < MAX_TRAINERS)
				chosen[at] = chosen[at - 1];
		if (at < MAX_TRAINERS)
			chosen[at] = role;
		if (count < MAX_TRAINERS)
			count++;
	}
	while (count && run->candidates[index_of(run, chosen[count - 1])].busy_s <
				least_part * run->candidates[index_of(run, chosen[0])].busy_s)
		count--;
	return count;
}

/* In the order in which they are told. */
static size_t choose_trainers(const struct role *chosen[MAX_TRAINERS], const struct run *run,
			      pid_t only)
{
	const struct role *role = only ? roles_of(run->roles, only) : NULL;
	size_t count;

	if (only) {
		chosen[0] = role;
		return role != NULL;
	}
	count = choose(chosen, run, is_trainer, 0, 0);
	return count ? count :
		       choose(chosen, run, may_train, least_own_reading * wall_s(run->all),
			      least_of_busiest);
}

static int by_pid(const void *a, const void *b)
{
	const struct verdict *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Of a run whose edges were seen, or are presumed; `all` is all of it. */
static int judge_run(struct verdicts *verdicts, const struct loop *stretches, size_t count,
		     struct loop *all, pid_t only, double cpus)
{
	const struct role *chosen[MAX_TRAINERS];
	struct roles roles = { 0 };
	struct run run = { .stretches = stretches,
			   .count = count,
			   .all = all,
			   .roles = &roles,
			   .scratch = &verdicts->scratch,
			   .cpus = cpus };
	size_t trainers = 0;
	int err = roles_find(&roles, run.scratch, all, only);

	roles_apply(&roles, all);
	if (!err)
		err = run_open(&run);
	if (!err)
		trainers = choose_trainers(chosen, &run, only);
	for (size_t i = 0; !err && i < trainers; i++)
		err = judge_trainer(&verdicts->list[verdicts->count++], &run, chosen[i]);
	if (verdicts->count)
		qsort(verdicts->list, verdicts->count, sizeof(*verdicts->list), by_pid);
	roles_free(&roles);
	return err;
}

static int judge_views(struct verdicts *verdicts, const struct loop *stretches, size_t count,
		       const struct loop *all, pid_t only, double cpus)
{
	struct scratch *scratch = &verdicts->scratch;
	struct loop *views = scratch_take(scratch, count + 1, sizeof(*views)), whole;
	struct presumed *presumed;
	int err = presumed_find(&presumed, scratch, all, only);

	if (!views)
		err = -ENOMEM;
	if (!err)
		err = presumed_view(&whole, all, presumed);
	for (size_t i = 0; !err && i < count; i++)
		err = presumed_view(&views[i], &stretches[i], presumed);
	return err ? err : judge_run(verdicts, views, count, &whole, only, cpus);
}

int judge_all(struct verdicts *verdicts, const struct loop *stretches, size_t count, pid_t only,
	      double cpus)
{
	struct loop all = { 0 };
	int err = 0;

	*verdicts = (struct verdicts){ .list = calloc(MAX_TRAINERS, sizeof(*verdicts->list)) };
	if (!verdicts->list)
		err = -ENOMEM;
	for (size_t i = 0; !err && i < count; i++)
		err = loop_add(&all, &stretches[i]);
	if (!err)
		err = judge_views(verdicts, stretches, count, &all, only, cpus);
	loop_free(&all);
	return err;
}

/* Judge one of them; keep it if it waited longer than the one before. */
static int judge_longer(struct verdict *verdict, const struct run *run, const struct role *role)
{
	struct loop part;
	struct verdict one;
	int err = take_part(&part, run, run->stretches, role->pid);

	roles_apply(run->roles, &part);
	if (!err)
		err = judge_stretch(&one, run->scratch, &part, role->pid, role->tid, run->cpus);
	if (!err && one.share_known &&
	    (!verdict->share_known || one.input_bound_pct > verdict->input_bound_pct))
		*verdict = one;
	return err;
}

int judge_longest(struct verdict *verdict, struct scratch *scratch, const struct loop *seen,
		  const struct roles *roles, const struct loop *stretch, pid_t trainer, double cpus)
{
	const struct role *chosen[MAX_TRAINERS];
	struct loop all, part;
	struct run run = { .stretches = &part,
			   .count = 1,
			   .all = &all,
			   .roles = roles,
			   .scratch = scratch,
			   .cpus = cpus };
	struct presumed *presumed;
	int err = presumed_find(&presumed, scratch, seen, trainer);
	size_t trainers;

	if (!err)
		err = presumed_view(&all, seen, presumed);
	if (!err)
		err = presumed_view(&part, stretch, presumed);
	if (!err)
		err = run_open(&run);
	trainers = err ? 0 : choose_trainers(chosen, &run, trainer);
	*verdict = (struct verdict){ 0 };
	for (size_t i = 0; !err && i < trainers; i++)
		err = judge_longer(verdict, &run, chosen[i]);
	return err ? err : verdict->share_known;
}

static struct verdict *verdict_of(struct verdicts *verdicts, pid_t pid)
{
	struct verdict *more;

	for (size_t i = 0; i < verdicts->count; i++)
		if (verdicts->list[i].pid == pid)
			return &verdicts->list[i];
	more = reallocarray(verdicts->list, verdicts->count + 1, sizeof(*more));
	if (!more)
		return NULL;
	verdicts->list = more;
	more += verdicts->count++;
	*more = (struct verdict){ .pid = pid, .startup_class = CLASS_UNKNOWN };
	return more;
}

/* What nothing can be said of beside what the job hangs on. */
static void drop_unknown(struct verdicts *verdicts)
{
	size_t kept = 0;

	for (size_t i = 0; i < verdicts->count; i++)
		if (verdicts->list[i].class != CLASS_UNKNOWN)
			verdicts->list[kept++] = verdicts->list[i];
	verdicts->count = kept;
}

int judge_stuck(struct verdicts *verdicts, const struct stuck_finding *finding)
{
	for (size_t i = 0; i < finding->stucks.count; i++) {
		const struct stuck *stuck = &finding->stucks.list[i];
		struct verdict *v = verdict_of(verdicts, stuck->pid);

		if (!v)
			return -ENOMEM;
		unknown(v, REASON_NONE);
		v->class = CLASS_STUCK;
		v->confidence = stuck->end == END_NOBODY ? CONFIDENCE_LOW : CONFIDENCE_HIGH;
		v->producer_count = 0;
		v->finding = finding;
		v->stuck = stuck;
	}
	if (finding->stucks.count)
		drop_unknown(verdicts);
	if (verdicts->count)
		qsort(verdicts->list, verdicts->count, sizeof(*verdicts->list), by_pid);
	return 0;
}

void verdicts_free(struct verdicts *verdicts)
{
	scratch_free(&verdicts->scratch);
	free(verdicts->list);
	*verdicts = (struct verdicts){ 0 };
}
