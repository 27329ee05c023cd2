// SPDX-License-Identifier: BSD-2-Clause
#include "collect/proc_bytes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/order.h"
#include "collect/proc_files.h"

/* All counters together, in the order of struct proc_io. */
enum { IO_COUNTERS = sizeof(struct proc_io) / sizeof(uint64_t) };

static void io_add(struct proc_io *sum, const struct proc_io *io)
{
	uint64_t *to = &sum->read_chars;
	const uint64_t *from = &io->read_chars;

	for (int i = 0; i < IO_COUNTERS; i++)
		to[i] += from[i];
}

/* Has `now` grown by at least `part` since `before`, in each counter? */
static bool io_grew_by(const struct proc_io *now, const struct proc_io *before,
		       const struct proc_io *part)
{
	const uint64_t *a = &now->read_chars, *b = &before->read_chars, *c = &part->read_chars;

	for (int i = 0; i < IO_COUNTERS; i++)
		if (a[i] < b[i] || a[i] - b[i] < c[i])
			return false;
	return true;
}

static uint64_t grown(uint64_t now, uint64_t base, uint64_t children, uint64_t before)
{
	uint64_t own = now > base + children ? now - base - children : 0;

	/* Counters of samples only grow, which those of cancelled writes make others not do. */
	return own > before ? own : before;
}

static void set_own_bytes(struct proc_process *p)
{
	const struct proc_io *io = &p->io, *base = &p->base, *children = &p->children;

	p->read_bytes =
		grown(io->read_bytes, base->read_bytes, children->read_bytes, p->read_bytes);
	p->write_bytes =
		grown(io->write_bytes,
		      base->write_bytes + io->cancelled_write_bytes - base->cancelled_write_bytes,
		      children->write_bytes - children->cancelled_write_bytes, p->write_bytes);
}

static void read_io(struct proc_job *job, struct proc_process *p)
{
	char text[PROC_TEXT_LEN];
	ssize_t n = proc_files_read(job, p, &p->io_fd, "io", text, sizeof(text));
	struct proc_io io;

	/* The file alone may be missing as well. */
	if (proc_files_is_gone((int)n) && !proc_job_is_there(job, p)) {
		proc_job_end(job, p);
		return;
	}
	if (n == -EACCES || n == -EPERM) {
		job->denied += !p->io_denied;
		p->io_denied = true;
	}
	if (n < 0)
		return;
	if (proc_parse_io(text, (size_t)n, &io) != 0) {
		job->malformed++;
		return;
	}
	p->io_denied = false;
	p->io = io;
	if (!p->io_known && !p->from_start)
		p->base = io;
	p->io_known = true;
}

/* The one whose counters have those of a process that was gone in this round: none, if its parent was gone before it. */
static struct proc_process *heir_of(struct proc_job *job, const struct proc_process *p)
{
	uint32_t at = p->parent;

	for (size_t i = 0; i < job->process_count && at; i++) {
		if (job->processes[at].life != PROC_GONE || job->processes[at].parted)
			break;
		at = job->processes[at].parent;
	}
	return at && job->processes[at].life != PROC_GONE ? &job->processes[at] : NULL;
}

/*
 * The kernel adds the counters of a child to those of the parent that waits for it. What was counted for the child is taken
 * out of the parent's own, and what the child did after it was last read stays there. A parent that ignores its children (SIGCHLD) gets
 * nothing: that shows in counters that have not grown by so much.
 */
static void part_from_parent(struct proc_job *job, struct proc_process *p)
{
	struct proc_process *heir = heir_of(job, p);

	if (!heir || !heir->io_known || !p->io_known)
		return;
	if (!io_grew_by(&heir->io, &heir->before, &p->io))
		return;
	io_add(&heir->before, &p->io);
	io_add(&heir->children, &p->io);
}

static bool in_use(const struct proc_process *p)
{
	return p->owner.kind == OWNER_PROCESS;
}

/* A process, by its place. */
struct place {
	unsigned int depth;
	uint32_t place;
};

static int by_depth(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = compare_numbers(x->depth, y->depth);

	return order ? order : compare_numbers(x->place, y->place);
}

/* All processes, parents before their children. */
struct order {
	struct place *list;
	size_t count;
};

static int order_by_depth(struct proc_job *job, struct order *order)
{
	*order = (struct order){
		scratch_take(&job->scratch, job->process_count, sizeof(*order->list)), 0
	};
	if (!order->list)
		return -ENOMEM;
	for (size_t i = OWNER_FIRST; i < job->process_count; i++)
		if (in_use(&job->processes[i]) && !job->processes[i].parted)
			order->list[order->count++] =
				(struct place){ job->processes[i].depth, (uint32_t)i };
	if (order->count)
		sort_in_place(order->list, order->count, sizeof(*order->list), by_depth);
	return 0;
}

static void for_each(struct proc_job *job, const struct order *order,
		     void (*call)(struct proc_job *, struct proc_process *))
{
	for (size_t i = 0; i < order->count; i++)
		call(job, &job->processes[order->list[i].place]);
}

static void begin(struct proc_job *job, struct proc_process *p)
{
	(void)job;
	p->before = p->io;
}

static void read_living(struct proc_job *job, struct proc_process *p)
{
	if (p->life != PROC_GONE)
		read_io(job, p);
}

static void part(struct proc_job *job, struct proc_process *p)
{
	if (p->life == PROC_GONE && !p->parted)
		part_from_parent(job, p);
}

static void finish(struct proc_job *job, struct proc_process *p)
{
	(void)job;
	if (p->life == PROC_GONE)
		p->parted = true;
	if (p->io_known)
		set_own_bytes(p);
}

/* Processes may end while they are read, but hardly this often. */
enum { MAX_PASSES = 4 };

int proc_bytes_read(struct proc_job *job)
{
	struct order order;
	uint64_t gone;
	int passes = 0;

	if (order_by_depth(job, &order) != 0)
		return -ENOMEM;

	/*
	 * Parents first: a child that is still there after its parent was read has not left it anything by then. After a
	 * pass in which none was found to be gone, parents have the counters of those children that are known to be gone and of no others.
	 */
	for_each(job, &order, begin);
	do {
		gone = job->gone;
		for_each(job, &order, read_living);
	} while (job->gone != gone && ++passes < MAX_PASSES);
	for_each(job, &order, part);
	for_each(job, &order, finish);
	return 0;
}
