// SPDX-License-Identifier: BSD-2-Clause
#include "judge/steady.h"

#include "judge/blame.h"

enum { FEW_STRETCHES = 6, MANY_STRETCHES = 8 };

static const double least_reading = 0.01; /* of a stretch, for a trainer without workers */

/* Did the trainer's clock follow the thread that it should, and others' times its clock, at the end of the stretch? */
static bool clocks_are_right(const struct case_file *whole, const struct roles *roles,
			     const struct loop *stretch)
{
	pid_t trainer = whole->process->pid;
	const struct role *role = roles_of(roles, trainer);
	const struct loop_process *p = loop_find_process(stretch, trainer);

	if (!p || !role || p->marked != whole->process->marked ||
	    (!p->marked && p->clock_tid != role->tid))
		return false;
	for (size_t i = 0; i < stretch->process_count; i++) {
		const struct role *other = roles_of(roles, stretch->processes[i].pid);

		if (other && other->trainer_pid == trainer &&
		    stretch->processes[i].trainer_pid != trainer)
			return false;
	}
	return true;
}

/* Waits between the trainer's loop and those who make its input. */
static uint64_t waits_for_input(const struct case_file *whole, const struct loop *stretch)
{
	uint64_t waits = 0;

	for (size_t i = 0; i < stretch->edge_count; i++) {
		const struct edge_report *edge = &stretch->edges[i];
		pid_t other = edge->wakee_tid == whole->thread->tid ? edge->waker_tid :
			      edge->waker_tid == whole->thread->tid ? edge->wakee_tid :
								      0;
		ssize_t at = other ? loop_find_thread(whole->loop, other) : -1;

		if (at >= 0 && case_is_input(whole, (size_t)at))
			waits += edge->waits;
	}
	return waits;
}

static bool has_input(const struct case_file *c)
{
	for (size_t i = 0; i < c->loop->thread_count; i++)
		if (case_is_input(c, i) && &c->loop->threads[i] != c->thread)
			return true;
	return false;
}

static bool is_steady(const struct case_file *whole, const struct roles *roles,
		      const struct loop *stretch)
{
	ssize_t at = loop_find_thread(stretch, whole->thread->tid);

	if (!clocks_are_right(whole, roles, stretch))
		return false;
	if (whole->process->marked)
		return loop_find_process(stretch, whole->process->pid)->clock_ns > 0;
	if (has_input(whole))
		return waits_for_input(whole, stretch) >= RECURRING_WAITS;
	return at >= 0 && reading_s(&stretch->threads[at].all) > least_reading * wall_s(stretch);
}

/*
 * The loop begins and ends somewhere inside its ends, which are left out where there is enough. Where there is more the second
 * one is too: the interpreter's lock, while modules are imported, looks like hand-overs.
 */
static void leave_ends_out(struct steady *steady, const struct loop *stretches)
{
	size_t length = steady->last - steady->first;

	if (length < FEW_STRETCHES)
		return;
	steady->first += length >= MANY_STRETCHES ? 2 : 1;
	steady->last--;
	/* The last one of a run may be short. */
	if (stretches[steady->last].wall_ns < stretches[steady->first].wall_ns / 2)
		steady->last--;
}

/*
 * Where it is only presumed who makes input, reads without any such may be those of modules, at the start. A loop that reads
 * itself does so most of the time.
 */
static bool is_only_start(const struct case_file *whole, size_t steady, size_t count)
{
	return whole->loop->looks && !has_input(whole) && 2 * steady < count;
}

struct steady steady_find(const struct case_file *whole, const struct roles *roles,
			  const struct loop *stretches, size_t count)
{
	struct steady steady = { .first = count };
	size_t seen = 0;

	for (size_t i = 0; whole->thread && i < count; i++) {
		if (!is_steady(whole, roles, &stretches[i]))
			continue;
		if (!seen++)
			steady.first = i;
		steady.last = i + 1;
	}
	if (!seen || is_only_start(whole, seen, count))
		return (struct steady){ .last = count };
	steady.found = true;
	leave_ends_out(&steady, stretches);
	return steady;
}

/*
 * Its thread's own time; and for that in which it waited for others, what these did meanwhile, in parts.
 */
enum verdict_class steady_startup_class(const struct loop *before, pid_t trainer, pid_t tid)
{
	double seconds[BLAME_CLASSES] = { 0 }, others[BLAME_CLASSES] = { 0 };
	double waited = 0, sum = 0;
	int largest = 0;

	for (size_t i = 0; i < before->thread_count; i++) {
		const struct loop_thread *t = &before->threads[i];
		const struct loop_process *p = loop_find_process(before, t->pid);

		for (unsigned int class = 0; class < LEDGER_CLASSES; class ++) {
			double s = class_s(&t->waiting, class);

			if (t->tid == tid) {
				if (class_is_own(class))
					seconds[blame_class(class)] += class_s(&t->all, class);
				else
					waited += class_s(&t->all, class);
			} else if (p && p->trainer_pid == trainer && class_is_own(class) &&
				   class != LEDGER_SLEEP) {
				others[blame_class(class)] += s;
				sum += s;
			}
		}
	}
	for (int class = 0; class < BLAME_CLASSES; class ++) {
		seconds[class] += sum > 0 ? waited * others[class] / sum : 0;
		if (seconds[class] > seconds[largest])
			largest = class;
	}
	return seconds[largest] > 0 ? (enum verdict_class)largest : CLASS_UNKNOWN;
}
