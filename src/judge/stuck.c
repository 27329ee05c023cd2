// SPDX-License-Identifier: BSD-2-Clause
#include "judge/stuck.h"

#include <errno.h>
#include <stdlib.h>

#include "base/order.h"

/* So many threads are followed from one trainer on. */
enum { MOST_FOLLOWED = 512 };

enum life {
	LIFE_NONE,
	LIFE_OUTSIDE, /* what is outside the job may end its wait, or that of one who could end it */
	LIFE_OWN,     /* the same of time, or a read that has just begun */
};

/* A thread, by its ID. */
struct named {
	pid_t tid;
	size_t thread;
};

struct graph {
	const struct waits *waits;
	uint64_t least_ns;
	pid_t *pids; /* of the job's processes, in their order */
	size_t pid_count;
	size_t *process;    /* by thread: index of its process */
	struct named *tids; /* all threads, in the order of their IDs */
	enum life *life;    /* by thread */
	enum life *at_most; /* by process: the liveliest of its threads */
	enum life in_job;   /* the liveliest of all */
};

/* Threads in the order in which they are reached from a trainer, and from where. */
struct reach {
	size_t *list, count;
	size_t *from; /* by thread: index of the one before + 1; 0: not reached */
};

static int by_pid(const void *a, const void *b)
{
	return compare_numbers((uint64_t) * (const pid_t *)a, (uint64_t) * (const pid_t *)b);
}

/* -1: not of the job. */
static ssize_t find_process(const struct graph *g, pid_t pid)
{
	const pid_t *found = bsearch(&pid, g->pids, g->pid_count, sizeof(pid), by_pid);

	return found ? found - g->pids : -1;
}

static int by_tid(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = compare_numbers((uint64_t)x->tid, (uint64_t)y->tid);

	return order ? order : compare_numbers(x->thread, y->thread);
}

/* The first one with this ID. */
static ssize_t find_thread(const struct graph *g, pid_t tid)
{
	const struct named wanted = { .tid = tid };
	size_t count = g->waits->thread_count;
	size_t at = first_not_below(&wanted, g->tids, count, sizeof(wanted), by_tid);

	return at < count && g->tids[at].tid == tid ? (ssize_t)g->tids[at].thread : -1;
}

/* What is written may be much, and a remote file system takes its time: three times as long. */
static bool is_overdue(const struct graph *g, const struct wait_thread *t)
{
	bool writes = t->class == LEDGER_STORAGE_WRITE || t->class == LEDGER_FSYNC ||
		      t->class == LEDGER_DIRTY_LIMIT;

	return !t->storage_moves && t->asleep_ns >= (writes ? 3 : 1) * g->least_ns;
}

/* A thread of the job that is not there any more ends nothing. */
static enum life own_life(const struct graph *g, const struct wait_thread *t)
{
	if (!t->known || wait_is_stopped(t))
		return LIFE_NONE;
	if (t->kind == WAIT_FILE)
		return is_overdue(g, t) ? LIFE_NONE : LIFE_OWN;
	if (t->ends & ENDS_TIME && !(t->kind == WAIT_TIMER && t->idle_timer))
		return LIFE_OWN;
	/* A socket that a child of the job listens on is there for the job. */
	if (t->ends & ENDS_CALLER && find_process(g, t->ppid) < 0)
		return LIFE_OUTSIDE;
	return t->ends & ENDS_OUTSIDE ? LIFE_OUTSIDE : LIFE_NONE;
}

static enum life livelier(enum life a, enum life b)
{
	return a > b ? a : b;
}

static int by_inode(const void *a, const void *b)
{
	const struct wait_holder *x = a, *y = b;

	return compare_numbers(x->inode, y->inode);
}

/* The first holder of an inode; holder_count if there is none. */
static size_t first_holder(const struct waits *w, uint64_t inode)
{
	const struct wait_holder wanted = { .inode = inode };

	return first_not_below(&wanted, w->holders, w->holder_count, sizeof(wanted), by_inode);
}

/* Is this process at the other end? Both ends may be its own. */
static bool is_other_end(const struct wait_holder *h, const struct wait_inode *inode)
{
	return h->inode == inode->inode && h->modes & inode->modes;
}

/* Does another process than its own hold the other end of what it waits for? */
static bool has_other_holder(const struct graph *g, const struct wait_thread *t)
{
	const struct waits *w = g->waits;

	for (size_t i = 0; i < t->inode_count; i++)
		for (size_t k = first_holder(w, t->inodes[i].inode);
		     k < w->holder_count && w->holders[k].inode == t->inodes[i].inode; k++)
			if (w->holders[k].pid != t->pid &&
			    is_other_end(&w->holders[k], &t->inodes[i]))
				return true;
	return false;
}

static enum life life_of_process(const struct graph *g, pid_t pid)
{
	ssize_t process = find_process(g, pid);

	return process < 0 ? LIFE_OUTSIDE : g->at_most[process];
}

static enum life life_of_holders(const struct graph *g, const struct wait_thread *t)
{
	const struct waits *w = g->waits;
	enum life life = LIFE_NONE;

	for (size_t i = 0; i < t->inode_count; i++)
		for (size_t k = first_holder(w, t->inodes[i].inode);
		     k < w->holder_count && w->holders[k].inode == t->inodes[i].inode; k++)
			if (w->holders[k].pid != t->pid &&
			    is_other_end(&w->holders[k], &t->inodes[i]))
				life = livelier(life, life_of_process(g, w->holders[k].pid));
	return life;
}

static bool is_child_of(const struct graph *g, size_t thread, pid_t pid)
{
	return g->waits->threads[thread].ppid == pid;
}

/* The liveliest of those who could end its wait. */
static enum life life_of_enders(const struct graph *g, size_t index)
{
	const struct wait_thread *t = &g->waits->threads[index];
	enum life life = LIFE_NONE;

	if (wait_is_stopped(t) || t->kind == WAIT_FILE || !t->known)
		return LIFE_NONE;
	if (t->ends & ENDS_THREAD) {
		ssize_t waker = find_thread(g, t->waker);

		return waker < 0 ? LIFE_NONE : g->life[waker];
	}
	if (t->ends & ENDS_PROCESS)
		life = livelier(life, life_of_process(g, t->waker));
	if (t->ends & ENDS_OWN)
		life = livelier(life, g->at_most[g->process[index]]);
	if (t->ends & (ENDS_JOB | ENDS_CALLER))
		life = livelier(life, g->in_job);
	if (t->ends & ENDS_HOLDERS) {
		life = livelier(life, life_of_holders(g, t));
		if (!has_other_holder(g, t))
			life = livelier(life, g->at_most[g->process[index]]);
	}
	if (t->ends & ENDS_CHILDREN)
		for (size_t i = 0; i < g->waits->thread_count; i++)
			if (is_child_of(g, i, t->pid))
				life = livelier(life, g->life[i]);
	return life;
}

static bool enliven(struct graph *g, size_t index, enum life life)
{
	if (life <= g->life[index])
		return false;
	g->life[index] = life;
	g->at_most[g->process[index]] = livelier(life, g->at_most[g->process[index]]);
	g->in_job = livelier(life, g->in_job);
	return true;
}

static void spread_life(struct graph *g)
{
	bool more = true;

	for (size_t i = 0; i < g->waits->thread_count; i++)
		enliven(g, i, own_life(g, &g->waits->threads[i]));
	while (more) {
		more = false;
		for (size_t i = 0; i < g->waits->thread_count; i++)
			if (g->life[i] != LIFE_OWN && enliven(g, i, life_of_enders(g, i)))
				more = true;
	}
}

static bool holds_other_end(const struct graph *g, const struct wait_thread *t, pid_t pid)
{
	const struct waits *w = g->waits;

	for (size_t i = 0; i < t->inode_count; i++)
		for (size_t k = first_holder(w, t->inodes[i].inode);
		     k < w->holder_count && w->holders[k].inode == t->inodes[i].inode; k++)
			if (w->holders[k].pid == pid && is_other_end(&w->holders[k], &t->inodes[i]))
				return true;
	return false;
}

/* Could the second thread end the first one's wait? */
static bool may_end(const struct graph *g, size_t index, size_t by)
{
	const struct wait_thread *t = &g->waits->threads[index], *other = &g->waits->threads[by];

	if (index == by || wait_is_stopped(t) || t->kind == WAIT_FILE || !other->known)
		return false;
	if (t->ends & ENDS_THREAD)
		return other->tid == t->waker && !t->waker_gone;
	return t->ends & (ENDS_JOB | ENDS_CALLER) ||
	       (t->ends & ENDS_PROCESS && other->pid == t->waker) ||
	       (t->ends & ENDS_OWN && other->pid == t->pid) ||
	       (t->ends & ENDS_CHILDREN && other->ppid == t->pid) ||
	       (t->ends & ENDS_HOLDERS &&
		(other->pid == t->pid ? !has_other_holder(g, t) :
					holds_other_end(g, t, other->pid)));
}

static void reach_all(struct reach *r, const struct graph *g, size_t first)
{
	r->list[0] = first;
	r->count = 1;
	r->from[first] = first + 1;
	for (size_t next = 0; next < r->count; next++)
		for (size_t i = 0; i < g->waits->thread_count && r->count < MOST_FOLLOWED; i++)
			if (!r->from[i] && may_end(g, r->list[next], i)) {
				r->from[i] = r->list[next] + 1;
				r->list[r->count++] = i;
			}
}

static ssize_t owner_of(const struct graph *g, size_t index)
{
	const struct wait_thread *t = &g->waits->threads[index];

	return t->ends & ENDS_THREAD && !t->waker_gone && !wait_is_stopped(t) ?
		       find_thread(g, t->waker) :
		       -1;
}

/* How many threads wait for one another's locks, from this one back to itself; 0: it is in no such cycle. */
static size_t cycle_length(const struct graph *g, size_t index)
{
	ssize_t at = (ssize_t)index;

	for (size_t length = 1; length <= STUCK_MOST_WAITS; length++) {
		at = owner_of(g, (size_t)at);
		if (at < 0)
			return 0;
		if (at == (ssize_t)index)
			return length;
	}
	return 0;
}

static bool has_failed(const struct wait_gone *gone)
{
	return !gone->reaped && (gone->signal || gone->status);
}

static bool is_reached(const struct reach *r, const struct waits *w, pid_t pid)
{
	for (size_t i = 0; i < r->count; i++)
		if (w->threads[r->list[i]].pid == pid)
			return true;
	return false;
}

/* The end of all that a trainer's wait leads to. Returns whether it is one for certain. */
static bool find_end(struct stuck *s, const struct graph *g, const struct reach *r)
{
	const struct waits *w = g->waits;

	for (size_t i = 0; i < r->count; i++) {
		const struct wait_thread *t = &w->threads[r->list[i]];

		s->end_thread = r->list[i];
		s->cycle = cycle_length(g, r->list[i]);
		if (s->cycle)
			s->end = END_CYCLE;
		else if (wait_is_stopped(t))
			s->end = END_STOPPED;
		else if (t->kind == WAIT_FILE && is_overdue(g, t))
			s->end = END_FILE;
		else if (t->waker_gone)
			s->end = END_OWNER_GONE;
		else
			continue;
		return true;
	}
	for (size_t i = 0; i < w->gone_count; i++) {
		/* What has nothing to do but to wait for others outside may have had a child that failed long ago. */
		if (!has_failed(&w->gone[i]) || !is_reached(r, w, w->gone[i].ppid) ||
		    g->life[r->list[0]] != LIFE_NONE)
			continue;
		s->end = END_GONE;
		s->end_thread = i;
		return true;
	}
	s->end = END_NOBODY;
	s->end_thread = r->list[0];
	return false;
}

static void add_wait(struct stuck *s, size_t thread, pid_t waits_for_tid)
{
	for (size_t i = 0; i < s->wait_count; i++)
		if (s->waits[i].thread == thread)
			return;
	if (s->wait_count < STUCK_MOST_WAITS)
		s->waits[s->wait_count++] =
			(struct stuck_wait){ .thread = thread, .waits_for_tid = waits_for_tid };
}

/* Of those who could end it, the one that the way to the end goes through; else the only one there is. */
static pid_t waits_for(const struct graph *g, const struct reach *r, size_t index, size_t next)
{
	const struct wait_thread *t = &g->waits->threads[index];
	pid_t only = 0;

	if (t->ends & ENDS_THREAD && !wait_is_stopped(t))
		return t->waker;
	if (next != index)
		return g->waits->threads[next].tid;
	for (size_t i = 0; i < r->count; i++) {
		if (!may_end(g, index, r->list[i]))
			continue;
		if (only)
			return 0;
		only = g->waits->threads[r->list[i]].tid;
	}
	return only;
}

/* From the trainer to the end, then the cycle, then all others that are reached. */
static void list_waits(struct stuck *s, const struct graph *g, const struct reach *r)
{
	size_t way[STUCK_MOST_WAITS], length = 0;
	size_t at = s->end == END_GONE || s->end == END_NOBODY ? r->list[0] : s->end_thread;

	while (length < STUCK_MOST_WAITS) {
		way[length++] = at;
		if (r->from[at] == at + 1)
			break;
		at = r->from[at] - 1;
	}
	s->way = length;
	while (length--)
		add_wait(s, way[length],
			 waits_for(g, r, way[length], length ? way[length - 1] : way[length]));
	s->cycle_first = s->wait_count ? s->wait_count - 1 : 0;
	at = s->end_thread;
	for (size_t i = 1; i < s->cycle; i++) {
		at = (size_t)owner_of(g, at);
		add_wait(s, at, g->waits->threads[at].waker);
	}
	for (size_t i = 0; i < r->count; i++)
		add_wait(s, r->list[i], waits_for(g, r, r->list[i], r->list[i]));
}

/*
 * Without an end that is certain: it must be seen to wait for others, or in a plain read for what nobody else holds. Who wakes by
 * time may do something then, though twice it did nothing.
 */
static bool is_knot(const struct graph *g, const struct reach *r)
{
	const struct wait_thread *t = &g->waits->threads[r->list[0]];

	for (size_t i = 0; i < r->count; i++)
		if (g->waits->threads[r->list[i]].ends & (ENDS_TIME | ENDS_LIMIT))
			return false;
	return g->life[r->list[0]] == LIFE_NONE && g->waits->complete &&
	       (r->count > 1 || (t->ends == ENDS_HOLDERS && !t->polls));
}

/* Returns 1 if the thread is stuck, 0 if it is not, or -ENOMEM. */
static int judge_thread(struct stuck *s, const struct graph *g, size_t thread)
{
	const struct wait_thread *t = &g->waits->threads[thread];
	struct reach r = { .list = calloc(MOST_FOLLOWED, sizeof(*r.list)),
			   .from = calloc(g->waits->thread_count + 1, sizeof(*r.from)) };
	int result = r.list && r.from ? 0 : -ENOMEM;

	*s = (struct stuck){ .pid = t->pid };
	if (!result && t->known && g->life[thread] != LIFE_OWN &&
	    (own_life(g, t) == LIFE_NONE || wait_is_stopped(t))) {
		reach_all(&r, g, thread);
		result = find_end(s, g, &r) || is_knot(g, &r);
		if (result)
			list_waits(s, g, &r);
	}
	free(r.list);
	free(r.from);
	return result;
}

/* Its first thread waits for a child that is of the job, and it has no other. */
static bool is_launcher(const struct graph *g, size_t thread)
{
	const struct wait_thread *t = &g->waits->threads[thread];
	bool child = false;

	if (t->kind != WAIT_CHILD || wait_is_stopped(t))
		return false;
	for (size_t i = 0; i < g->waits->thread_count; i++) {
		if (i != thread && g->waits->threads[i].pid == t->pid)
			return false;
		child = child || g->waits->threads[i].ppid == t->pid;
	}
	return child;
}

static bool has_stuck(const struct stucks *stucks, pid_t pid)
{
	for (size_t i = 0; i < stucks->count; i++)
		if (stucks->list[i].pid == pid)
			return true;
	return false;
}

static int judge_one(struct stucks *stucks, const struct graph *g, pid_t tid)
{
	ssize_t thread = find_thread(g, tid);
	int found;

	if (thread < 0 || stucks->count == STUCK_MOST)
		return 0;
	found = judge_thread(&stucks->list[stucks->count], g, (size_t)thread);
	if (found == 1)
		stucks->count++;
	return found < 0 ? found : 0;
}

static pid_t parent_of(const struct graph *g, pid_t pid)
{
	ssize_t thread = find_thread(g, pid);

	return thread < 0 ? 0 : g->waits->threads[thread].ppid;
}

/* Is one above it told already? PIDs are reused, so that there may seem to be a circle. */
static bool is_below_stuck(const struct graph *g, const struct stucks *stucks, pid_t pid)
{
	size_t steps = 0;

	while ((pid = parent_of(g, pid)) && steps++ <= g->pid_count)
		if (has_stuck(stucks, pid))
			return true;
	return false;
}

static size_t depth_of(const struct graph *g, pid_t pid)
{
	size_t depth = 0;

	while ((pid = parent_of(g, pid)) && depth <= g->pid_count)
		depth++;
	return depth;
}

/* The topmost processes that are stuck, launchers left out. */
static int judge_topmost(struct stucks *stucks, const struct graph *g)
{
	size_t *depths = calloc(g->pid_count + 1, sizeof(*depths)), deepest = 0;
	int err = depths ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < g->pid_count; i++) {
		depths[i] = depth_of(g, g->pids[i]);
		deepest = depths[i] > deepest ? depths[i] : deepest;
	}
	for (size_t depth = 0; !err && depth <= deepest; depth++)
		for (size_t i = 0; !err && i < g->pid_count; i++) {
			ssize_t thread = find_thread(g, g->pids[i]);

			if (depths[i] == depth && thread >= 0 && !is_launcher(g, (size_t)thread) &&
			    !is_below_stuck(g, stucks, g->pids[i]))
				err = judge_one(stucks, g, g->pids[i]);
		}
	free(depths);
	return err;
}

static int graph_open(struct graph *g)
{
	const size_t count = g->waits->thread_count;

	g->pids = calloc(count + 1, sizeof(*g->pids));
	g->process = calloc(count + 1, sizeof(*g->process));
	g->life = calloc(count + 1, sizeof(*g->life));
	g->at_most = calloc(count + 1, sizeof(*g->at_most));
	g->tids = calloc(count + 1, sizeof(*g->tids));
	if (!g->tids || !g->pids || !g->process || !g->life || !g->at_most)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		g->pids[i] = g->waits->threads[i].pid;
		g->tids[i] = (struct named){ .tid = g->waits->threads[i].tid, .thread = i };
	}
	if (count) {
		qsort(g->pids, count, sizeof(*g->pids), by_pid);
		qsort(g->tids, count, sizeof(*g->tids), by_tid);
	}
	for (size_t i = 0; i < count; i++)
		if (!i || g->pids[i] != g->pids[g->pid_count - 1])
			g->pids[g->pid_count++] = g->pids[i];
	for (size_t i = 0; i < count; i++)
		g->process[i] = (size_t)find_process(g, g->waits->threads[i].pid);
	spread_life(g);
	return 0;
}

int stuck_find(struct stucks *stucks, const struct waits *waits,
	       const struct stuck_trainer *trainers, size_t trainer_count, uint64_t least_ns)
{
	struct graph g = { .waits = waits, .least_ns = least_ns };
	int err = graph_open(&g);

	stucks->count = 0;
	for (size_t i = 0; !err && i < trainer_count; i++)
		err = judge_one(stucks, &g, trainers[i].tid ? trainers[i].tid : trainers[i].pid);
	if (!err && !stucks->count)
		err = judge_topmost(stucks, &g);
	free(g.pids);
	free(g.process);
	free(g.tids);
	free(g.life);
	free(g.at_most);
	return err;
}
