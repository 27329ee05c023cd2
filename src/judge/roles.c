// SPDX-License-Identifier: BSD-2-Clause
#include "judge/roles.h"

#include <errno.h>
#include <stdlib.h>

#include "base/order.h"
#include "judge/case.h"
#include "judge/presumed.h"

enum { MAX_DEPTH = 64 };

/* A loop waits for a thread that passes batches on as often as that one for these, or nearly so. */
enum { MOST_TO_ONE = 10 };

/* Of the time seen: a thread with less of its own only looks on. */
static const double least_of_loop = 0.02;

/* A process and an ancestor of it that it exchanges things with. */
struct tie {
	pid_t pid, ancestor;
	unsigned int distance;
	uint64_t waits;
};

static int by_pid_and_distance(const void *a, const void *b)
{
	const struct tie *x = a, *y = b;
	int order = compare_numbers((uint64_t)x->pid, (uint64_t)y->pid);

	return order ? order : compare_numbers(x->distance, y->distance);
}

/* Of each process, by its index, the index of its parent; loop->process_count: it has none. */
static size_t *find_parents(struct scratch *scratch, const struct loop *loop)
{
	size_t *parents = scratch_take(scratch, loop->process_count + 1, sizeof(*parents));

	for (size_t i = 0; parents && i < loop->process_count; i++) {
		const struct loop_process *parent =
			loop_find_process(loop, loop->processes[i].ppid);

		parents[i] = parent ? (size_t)(parent - loop->processes) : loop->process_count;
	}
	return parents;
}

/* How many generations above, 0 if it is no ancestor. */
static unsigned int distance(const struct loop *loop, const size_t *parents, size_t process,
			     size_t ancestor)
{
	for (unsigned int i = 1; i < MAX_DEPTH && process < loop->process_count; i++) {
		process = parents[process];
		if (process == ancestor)
			return i;
	}
	return 0;
}

static bool add_tie(struct tie *tie, const struct loop *loop, const size_t *parents,
		    const struct edge_report *edge, pid_t trainer)
{
	pid_t one = edge->wakee_pid, other = edge->waker_pid;
	const struct loop_process *p = loop_find_process(loop, one);
	const struct loop_process *q = loop_find_process(loop, other);

	if (!p || !q || p == q)
		return false;
	*tie = (struct tie){ .pid = one, .ancestor = other, .waits = edge->waits };
	if (one == trainer || other == trainer) {
		tie->pid = one == trainer ? other : one;
		tie->ancestor = trainer;
		return true;
	}
	tie->distance = distance(loop, parents, (size_t)(p - loop->processes),
				 (size_t)(q - loop->processes));
	if (tie->distance)
		return true;
	tie->pid = other;
	tie->ancestor = one;
	tie->distance = distance(loop, parents, (size_t)(q - loop->processes),
				 (size_t)(p - loop->processes));
	return tie->distance != 0;
}

/* In the order of PIDs, the nearest ancestor first; `trainer` stands before all of them. */
static struct tie *find_ties(struct scratch *scratch, const struct loop *loop,
			     const size_t *parents, pid_t trainer, size_t *count)
{
	struct tie *ties = scratch_take(scratch, loop->edge_count + 1, sizeof(*ties));

	*count = 0;
	for (size_t k = 0; ties && k < loop->edge_count; k++)
		*count += add_tie(&ties[*count], loop, parents, &loop->edges[k], trainer);
	if (ties)
		sort_in_place(ties, *count, sizeof(*ties), by_pid_and_distance);
	return ties;
}

/* Of a process whose ties come first: the nearest ancestor with enough of them, 0 if there is none. */
static pid_t tied_to(const struct tie *ties, size_t count, pid_t pid)
{
	uint64_t waits = 0;

	for (size_t i = 0; i < count && ties[i].pid == pid; i++) {
		waits = i && ties[i - 1].ancestor == ties[i].ancestor ? waits + ties[i].waits :
									ties[i].waits;
		if (waits >= TIED_WAITS)
			return ties[i].ancestor;
	}
	return 0;
}

static struct role *find_role(const struct roles *roles, pid_t pid)
{
	for (size_t low = 0, high = roles->count; low < high;) {
		size_t middle = (low + high) / 2;

		if (roles->list[middle].pid == pid)
			return &roles->list[middle];
		if (roles->list[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct role *roles_of(const struct roles *roles, pid_t pid)
{
	return find_role(roles, pid);
}

/* Whom each is tied to, as `trainer_pid`; 0 where there is nobody. */
static void tie_roles(const struct roles *roles, const struct tie *ties, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct role *role = find_role(roles, ties[i].pid);

		if (role && !role->trainer_pid)
			role->trainer_pid = tied_to(ties + i, count - i, role->pid);
		while (i + 1 < count && ties[i + 1].pid == ties[i].pid)
			i++;
	}
}

/*
 * Up the ties to one who works for nobody. One that others are tied to (`boss`) is a trainer itself: a rank, say. Processes are
 * named by their indexes, as in `parents`.
 */
static pid_t topmost(const struct roles *roles, const size_t *parents, const bool *boss, size_t at,
		     pid_t trainer)
{
	const struct role *role = &roles->list[at];

	if (role->pid == trainer || (boss[at] && role->trainer_pid != trainer))
		return role->pid;
	if (role->trainer_pid)
		return role->trainer_pid;
	for (int i = 0; i < MAX_DEPTH; i++) {
		at = parents[at];
		if (at >= roles->count)
			break;
		if (roles->list[at].pid == trainer || boss[at])
			return roles->list[at].pid;
		if (roles->list[at].trainer_pid)
			return roles->list[at].trainer_pid;
	}
	return role->pid;
}

/* Whom the work of each goes to in the end. */
static int resolve(const struct roles *roles, struct scratch *scratch, const size_t *parents,
		   pid_t trainer)
{
	bool *boss = scratch_take(scratch, roles->count + 1, sizeof(*boss));
	pid_t *found = scratch_take(scratch, roles->count + 1, sizeof(*found));

	if (!boss || !found)
		return -ENOMEM;
	for (size_t i = 0; i < roles->count; i++) {
		const struct role *above = find_role(roles, roles->list[i].trainer_pid);

		if (above)
			boss[above - roles->list] = true;
	}
	for (size_t i = 0; i < roles->count; i++)
		found[i] = topmost(roles, parents, boss, i, trainer);
	for (size_t i = 0; i < roles->count; i++)
		roles->list[i].trainer_pid = found[i];
	return 0;
}

/* How a thread is handed batches. */
struct fed {
	uint64_t waits;
	uint64_t
		direct; /* of these, for a worker, or a thread that reads: not for one that passes them on */
};

/* A walk from those who make batches to those who are handed them. */
struct feeding {
	const struct roles *roles;
	const struct loop *loop;
	const struct ends *ends;
	struct fed *fed;
	bool *feeds; /* by index of the loop's threads: makes batches, or is fed and may pass them on */
	size_t *todo;
	size_t count;
};

static bool is_first(const struct loop *loop, size_t thread)
{
	return loop->threads[thread].tid == loop->threads[thread].pid;
}

static bool is_of_trainer(const struct feeding *f, size_t thread)
{
	const struct role *role = find_role(f->roles, f->loop->threads[thread].pid);

	return role && role->trainer_pid == role->pid;
}

/* Threads that read feed others; a first thread has read modules, and may be the loop all the same. */
static bool only_reads(const struct feeding *f, size_t thread)
{
	return !is_first(f->loop, thread) &&
	       reading_s(&f->loop->threads[thread].all) > LEAST_BUSY * wall_s(f->loop);
}

static void add_source(struct feeding *f, size_t thread)
{
	f->feeds[thread] = true;
	f->todo[f->count++] = thread;
}

static void feed_from(struct feeding *f, size_t thread, bool directly)
{
	const struct links *links = &f->ends->by_waker;

	for (size_t k = links->first[thread]; k < links->first[thread + 1]; k++) {
		const struct edge_report *edge = &f->loop->edges[links->list[k]];
		ssize_t next = f->ends->wakee[links->list[k]];

		if (next < 0 || !is_of_trainer(f, (size_t)next) || edge->ns[EDGE_SEND] ||
		    !edge_counts(edge, wall_s(f->loop)))
			continue;
		/* Readers of one process wait for one another's locks. */
		if (edge->wakee_pid == edge->waker_pid && only_reads(f, (size_t)next))
			continue;
		f->fed[next].waits += edge->waits;
		f->fed[next].direct += directly ? edge->waits : 0;
		if (!f->feeds[next])
			add_source(f, (size_t)next);
	}
}

static void feed(struct feeding *f)
{
	size_t sources = f->count;

	for (size_t n = 0; n < f->count; n++)
		feed_from(f, f->todo[n], n < sources);
	f->count = 0;
}

/* Has any thread of its process been fed? */
static bool is_fed_process(const struct feeding *f, pid_t pid)
{
	const struct role *role = find_role(f->roles, pid);

	return role && role->fed;
}

/*
 * Who is fed, and how often: threads of trainers that wait for threads of their workers, or that are fed by one that is; in
 * processes without any such, those that wait for threads of their own that read.
 */
static int find_fed(const struct roles *roles, struct scratch *scratch, const struct loop *loop,
		    const struct ends *ends, struct fed *fed)
{
	struct feeding f = { .roles = roles, .loop = loop, .ends = ends, .fed = fed };

	f.feeds = scratch_take(scratch, loop->thread_count + 1, sizeof(*f.feeds));
	f.todo = scratch_take(scratch, loop->thread_count + 1, sizeof(*f.todo));
	if (!f.feeds || !f.todo)
		return -ENOMEM;
	for (size_t i = 0; i < loop->thread_count; i++)
		if (find_role(roles, loop->threads[i].pid) && !is_of_trainer(&f, i))
			add_source(&f, i);
	feed(&f);
	for (size_t i = 0; i < loop->thread_count; i++)
		if (fed[i].waits)
			find_role(roles, loop->threads[i].pid)->fed = true;
	for (size_t i = 0; i < loop->thread_count; i++)
		if (!f.feeds[i] && !is_fed_process(&f, loop->threads[i].pid) &&
		    reading_s(&loop->threads[i].all) > LEAST_BUSY * wall_s(loop))
			add_source(&f, i);
	feed(&f);
	return 0;
}

/* How often a thread was woken by another one. */
static uint64_t waits_for(const struct loop *loop, const struct ends *ends, size_t thread,
			  size_t other)
{
	const struct links *links = &ends->by_wakee;
	uint64_t waits = 0;

	for (size_t k = links->first[thread]; k < links->first[thread + 1]; k++)
		if (ends->waker[links->list[k]] == (ssize_t)other)
			waits += loop->edges[links->list[k]].waits;
	return waits;
}

/*
 * Does the first thread of a process do something with what it is fed, about as often as this one is fed directly? A thread that
 * passes batches on is, and one that computes with the first one is not. Or does it ask this one for them? While it always finds
 * some it waits for nobody, and the manager of a pool waits for it.
 */
static bool is_loop_of_first(const struct loop *loop, const struct ends *ends,
			     const struct fed *fed, size_t first, size_t thread)
{
	uint64_t waits = fed[first].direct ? fed[first].direct : fed[first].waits;
	uint64_t asked = fed[thread].direct ? waits_for(loop, ends, thread, first) : 0;

	return waits + asked && waits + asked >= fed[thread].direct / MOST_TO_ONE &&
	       own_s(&loop->threads[first].all) >= least_of_loop * wall_s(loop);
}

/*
 * Is it more likely to run the loop than the other one? A thread that is fed by another one of its process may be the loop behind
 * one that passes batches on, which does little itself; or take part in the step of one that is the loop.
 */
static bool is_better(const struct loop *loop, const struct fed *fed, size_t thread, size_t other)
{
	double one = own_s(&loop->threads[thread].all) * (fed[thread].direct ? 2 : 1);
	double two = own_s(&loop->threads[other].all) * (fed[other].direct ? 2 : 1);

	return !fed[thread].waits != !fed[other].waits ? fed[thread].waits != 0 : one > two;
}

/*
 * The first thread, if it is fed and does anything with it; else the one that does most of those that are fed. Where none is
 * fed, the one that reads itself.
 */
static void choose_threads(const struct roles *roles, const struct loop *loop,
			   const struct ends *ends, const struct fed *fed)
{
	double wall = wall_s(loop);

	for (size_t i = 0; i < loop->thread_count; i++) {
		const struct loop_thread *t = &loop->threads[i];
		struct role *role = find_role(roles, t->pid);
		ssize_t first = loop_find_thread(loop, t->pid), best;
		bool looks_on;

		if (!role || role->trainer_pid != role->pid || t->tid == t->pid || first < 0 ||
		    own_s(&t->all) < least_of_loop * wall)
			continue;
		looks_on = own_s(&loop->threads[first].all) < least_of_loop * wall;
		if (is_loop_of_first(loop, ends, fed, (size_t)first, i))
			continue;
		if (!fed[i].waits && (!looks_on || reading_s(&t->all) <= LEAST_BUSY * wall))
			continue;
		best = role->tid == role->pid ? -1 : loop_find_thread(loop, role->tid);
		if (best < 0 || is_better(loop, fed, i, (size_t)best))
			role->tid = t->tid;
	}
}

static int find_threads(const struct roles *roles, struct scratch *scratch, const struct loop *loop)
{
	struct fed *fed = scratch_take(scratch, loop->thread_count + 1, sizeof(*fed));
	struct ends ends;
	int err = ends_find(&ends, scratch, loop);

	if (!fed)
		err = -ENOMEM;
	if (!err)
		err = find_fed(roles, scratch, loop, &ends, fed);
	if (err)
		return err;
	choose_threads(roles, loop, &ends, fed);
	for (size_t i = 0; i < roles->count; i++) {
		ssize_t at = loop_find_thread(loop, roles->list[i].tid);

		roles->list[i].fed = at >= 0 && fed[at].waits;
	}
	return 0;
}

/* One for each process, in their order: it works for nobody yet. */
static int list_roles(struct roles *roles, const struct loop *seen)
{
	size_t capacity = roles->capacity ? roles->capacity : 16;
	struct role *list;

	while (capacity < seen->process_count)
		capacity *= 2;
	if (capacity > roles->capacity) {
		list = reallocarray(roles->list, capacity, sizeof(*list));
		if (!list)
			return -ENOMEM;
		roles->list = list;
		roles->capacity = capacity;
	}
	roles->count = seen->process_count;
	for (size_t i = 0; i < roles->count; i++)
		roles->list[i] = (struct role){ .pid = seen->processes[i].pid,
						.start_boot_ns = seen->processes[i].start_boot_ns,
						.tid = seen->processes[i].pid };
	return 0;
}

/* By edges, which are as they are seen, or presumed. */
static int find_by_edges(struct roles *roles, struct scratch *scratch, const struct loop *seen,
			 pid_t trainer)
{
	size_t *parents = find_parents(scratch, seen);
	struct tie *ties = NULL;
	size_t tie_count;
	int err = list_roles(roles, seen);

	if (!err && parents)
		ties = find_ties(scratch, seen, parents, trainer, &tie_count);
	if (!ties)
		return -ENOMEM;
	tie_roles(roles, ties, tie_count);
	err = resolve(roles, scratch, parents, trainer);
	return err ? err : find_threads(roles, scratch, seen);
}

int roles_find(struct roles *roles, struct scratch *scratch, const struct loop *seen, pid_t trainer)
{
	struct scratch_mark mark = scratch_mark(scratch);
	struct presumed *presumed;
	struct loop view;
	int err = presumed_find(&presumed, scratch, seen, trainer);

	roles->count = 0;
	if (!err)
		err = presumed_view(&view, seen, presumed);
	if (!err)
		err = find_by_edges(roles, scratch, &view, trainer);
	scratch_release(scratch, mark);
	return err;
}

void roles_apply(const struct roles *roles, struct loop *loop)
{
	for (size_t i = 0; i < loop->process_count; i++) {
		const struct role *role = roles_of(roles, loop->processes[i].pid);

		if (role)
			loop->processes[i].trainer_pid = role->trainer_pid;
	}
}

void roles_free(struct roles *roles)
{
	free(roles->list);
	*roles = (struct roles){ 0 };
}
