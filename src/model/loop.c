// SPDX-License-Identifier: BSD-2-Clause
#include "model/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "model/edges.h"

/* One part in so many of a stretch. */
enum { TRACE = 1000 };

static int by_thread(const void *a, const void *b)
{
	const struct loop_thread *x = a, *y = b;
	int order = compare_numbers((uint64_t)x->tid, (uint64_t)y->tid);

	return order ? order : compare_numbers(x->start_ns, y->start_ns);
}

static int by_pid(const void *a, const void *b)
{
	const struct loop_process *x = a, *y = b;

	return compare_numbers((uint64_t)x->pid, (uint64_t)y->pid);
}

static int by_pair(const void *a, const void *b)
{
	return edge_compare_pairs(a, b);
}

static void add_thread(void *to, const void *from)
{
	struct loop_thread *x = to;
	const struct loop_thread *y = from;

	ledger_add(&x->all, &y->all);
	ledger_add(&x->waiting, &y->waiting);
	x->ended = x->ended || y->ended;
	x->stretches += y->stretches;
	x->ran += y->ran;
	if (y->socket) {
		x->socket = y->socket;
		x->peer_port = y->peer_port;
	}
}

static void add_process(void *to, const void *from)
{
	struct loop_process *x = to;
	const struct loop_process *y = from;

	x->clock_ns += y->clock_ns;
	x->owner = y->owner;
	x->start_boot_ns = y->start_boot_ns;
	x->trainer_pid = y->trainer_pid;
	x->clock_tid = y->clock_tid;
	x->marked = y->marked;
	x->frameworks |= y->frameworks;
}

static void add_edge(void *to, const void *from)
{
	struct edge_report *x = to;
	const struct edge_report *y = from;

	for (int i = 0; i < EDGE_KINDS; i++)
		x->ns[i] += y->ns[i];
	x->inside_ns += y->inside_ns;
	x->waits += y->waits;
}

/* An array of a loop: sorted, and each element once. */
struct kind {
	size_t size;
	int (*order)(const void *, const void *);
	void (*add)(void *, const void *);
};

static const struct kind threads_kind = { sizeof(struct loop_thread), by_thread, add_thread };
static const struct kind processes_kind = { sizeof(struct loop_process), by_pid, add_process };
static const struct kind edges_kind = { sizeof(struct edge_report), by_pair, add_edge };

/* Walk through two arrays in their order: are all elements of the second in the first? `add`: then add them up. */
static bool walk_known(const struct kind *kind, char *array, size_t count, const char *more,
		       size_t more_count, bool add)
{
	size_t at = 0;

	for (size_t i = 0; i < more_count; i++) {
		const char *next = more + i * kind->size;

		while (at < count && kind->order(array + at * kind->size, next) < 0)
			at++;
		if (at == count || kind->order(array + at * kind->size, next) != 0)
			return false;
		if (add)
			kind->add(array + at * kind->size, next);
	}
	return true;
}

/*
 * Append elements, then sort, and add up those that are the same. In most intervals there is no new one. No more memory is
 * kept than that takes.
 */
static int merge(const struct kind *kind, void **array, size_t *count, const void *more,
		 size_t more_count)
{
	size_t total = *count + more_count, kept = 0;
	char *all;

	if (*array && walk_known(kind, *array, *count, more, more_count, false)) {
		walk_known(kind, *array, *count, more, more_count, true);
		return 0;
	}
	all = reallocarray(*array, *count + more_count + 1, kind->size);
	if (!all)
		return -ENOMEM;
	*array = all;
	if (more_count)
		memcpy(all + *count * kind->size, more, more_count * kind->size);
	qsort(all, total, kind->size, kind->order);
	for (size_t i = 0; i < total; i++) {
		char *last = kept ? all + (kept - 1) * kind->size : NULL;
		const char *next = all + i * kind->size;

		if (last && kind->order(last, next) == 0)
			kind->add(last, next);
		else
			memmove(all + kept++ * kind->size, next, kind->size);
	}
	*count = kept;
	all = reallocarray(all, kept + 1, kind->size);
	if (all)
		*array = all;
	return 0;
}

int loop_add(struct loop *sum, const struct loop *part)
{
	int err;

	sum->wall_ns += part->wall_ns;
	sum->looks += part->looks;
	sum->ended_ns += part->ended_ns;
	sum->left_out_cpu_ns += part->left_out_cpu_ns;
	err = merge(&threads_kind, (void **)&sum->threads, &sum->thread_count, part->threads,
		    part->thread_count);
	if (!err)
		err = merge(&processes_kind, (void **)&sum->processes, &sum->process_count,
			    part->processes, part->process_count);
	if (!err)
		err = merge(&edges_kind, (void **)&sum->edges, &sum->edge_count, part->edges,
			    part->edge_count);
	return err;
}

static int build_threads(struct loop *loop, const struct sample *from, const struct sample *to)
{
	loop->threads = calloc(to->thread_count + 1, sizeof(*loop->threads));
	if (!loop->threads)
		return -ENOMEM;
	for (size_t i = 0; i < to->thread_count; i++) {
		const struct thread *thread = &to->threads[i];
		struct loop_thread *t = &loop->threads[loop->thread_count];
		uint32_t owner =
			thread->life == THREAD_FREE ? OWNER_EXITED : ledger_owner(to, thread);

		if (owner < OWNER_FIRST || to->owners[owner].owner.kind == OWNER_SERVER)
			continue;
		t->tid = (pid_t)thread->tid;
		t->pid = (pid_t)to->owners[owner].owner.pid;
		t->start_ns = thread->start_ns;
		t->ended = thread->life == THREAD_ENDED;
		t->socket = thread->socket;
		t->peer_port = thread->peer_port;
		ledger_of_thread(&t->all, from, to, i, LEDGER_ALL);
		ledger_of_thread(&t->waiting, from, to, i, LEDGER_WAITING);
		t->stretches = 1;
		t->ran = t->all.ns[LEDGER_CPU] > (to->threads_ns - from->threads_ns) / TRACE;
		if (ledger_wall_ns(&t->all))
			loop->thread_count++;
	}
	return 0;
}

static int build_processes(struct loop *loop, const struct sample *from, const struct sample *to)
{
	loop->processes = calloc(to->owner_count + 1, sizeof(*loop->processes));
	if (!loop->processes)
		return -ENOMEM;
	for (size_t i = OWNER_FIRST; i < to->owner_count; i++) {
		const struct owner *o = &to->owners[i].owner;
		struct loop_process *p = &loop->processes[loop->process_count];

		if (o->kind != OWNER_PROCESS)
			continue;
		for (int k = 0; k < LEDGER_CLASSES; k++)
			loop->ended_ns += o->ended_ns[k];
		if (i < from->owner_count &&
		    from->owners[i].owner.start_boot_ns == o->start_boot_ns)
			for (int k = 0; k < LEDGER_CLASSES; k++)
				loop->ended_ns -= from->owners[i].owner.ended_ns[k];
		p->pid = (pid_t)o->pid;
		p->owner = (uint32_t)i;
		p->ppid = (pid_t)o->ppid;
		p->start_boot_ns = o->start_boot_ns;
		p->clock_tid = o->clock_tid ? (pid_t)o->clock_tid : p->pid;
		p->marked = o->marked;
		p->frameworks = to->owners[i].frameworks;
		p->clock_ns = ledger_clock_ns(from, to, (uint32_t)i);
		if (o->trainer >= OWNER_FIRST && o->trainer < to->owner_count)
			p->trainer_pid = (pid_t)to->owners[o->trainer].owner.pid;
		loop->process_count++;
	}
	return 0;
}

int loop_build(struct loop *loop, const struct sample *from, const struct sample *to)
{
	struct loop parts = { .wall_ns = to->threads_ns - from->threads_ns,
			      .looks = to->looks - from->looks };
	int err;

	*loop = (struct loop){ 0 };
	err = build_threads(&parts, from, to);
	if (!err)
		err = build_processes(&parts, from, to);
	if (!err)
		err = edges_between(&parts.edges, &parts.edge_count, from, to);
	/* Sorted, each once. */
	if (!err)
		err = loop_add(loop, &parts);
	loop_free(&parts);
	return err;
}

const struct loop_process *loop_find_process(const struct loop *loop, pid_t pid)
{
	const struct loop_process wanted = { .pid = pid };

	return loop->process_count ? bsearch(&wanted, loop->processes, loop->process_count,
					     sizeof(wanted), by_pid) :
				     NULL;
}

/* Threads are in the order of IDs. */
ssize_t loop_find_thread(const struct loop *loop, pid_t tid)
{
	const struct loop_thread wanted = { .tid = tid };
	size_t at = first_not_below(&wanted, loop->threads, loop->thread_count, sizeof(wanted),
				    by_thread);

	return at < loop->thread_count && loop->threads[at].tid == tid ? (ssize_t)at : -1;
}

void loop_forget(struct loop *loop, const struct loop *last)
{
	size_t kept = 0;

	for (size_t i = 0; i < loop->thread_count; i++)
		if (last->thread_count &&
		    bsearch(&loop->threads[i], last->threads, last->thread_count,
			    sizeof(*last->threads), by_thread))
			loop->threads[kept++] = loop->threads[i];
	loop->thread_count = kept;
	kept = 0;
	for (size_t i = 0; i < loop->process_count; i++)
		if (loop_find_process(last, loop->processes[i].pid))
			loop->processes[kept++] = loop->processes[i];
	loop->process_count = kept;
	kept = 0;
	for (size_t i = 0; i < loop->edge_count; i++)
		if (loop_find_thread(loop, loop->edges[i].wakee_tid) >= 0 &&
		    loop_find_thread(loop, loop->edges[i].waker_tid) >= 0)
			loop->edges[kept++] = loop->edges[i];
	loop->edge_count = kept;
}

void loop_free(struct loop *loop)
{
	free(loop->threads);
	free(loop->processes);
	free(loop->edges);
	*loop = (struct loop){ 0 };
}

/* Twice as long, half as many. */
static int stretches_halve(struct stretches *stretches)
{
	int err = 0;

	for (size_t i = 0; !err && i + 1 < stretches->count; i += 2) {
		err = loop_add(&stretches->list[i], &stretches->list[i + 1]);
		loop_free(&stretches->list[i + 1]);
		if (i) {
			stretches->list[i / 2] = stretches->list[i];
			stretches->list[i] = (struct loop){ 0 };
		}
	}
	if (err)
		return err;
	stretches->count /= 2;
	stretches->length *= 2;
	return 0;
}

static bool stretches_full(const struct stretches *stretches)
{
	size_t bytes = 0;

	if (stretches->count < ENOUGH_STRETCHES)
		return false;
	for (size_t i = 0; i < stretches->count; i++) {
		const struct loop *loop = &stretches->list[i];

		bytes += loop->thread_count * sizeof(*loop->threads) +
			 loop->process_count * sizeof(*loop->processes) +
			 loop->edge_count * sizeof(*loop->edges);
	}
	return bytes > MAX_STRETCH_BYTES || stretches->count == MAX_STRETCHES;
}

int stretches_add(struct stretches *stretches, const struct loop *next)
{
	int err = 0;

	if (!stretches->list) {
		stretches->list = calloc(MAX_STRETCHES + 1, sizeof(*stretches->list));
		stretches->length = 1;
	}
	if (!stretches->list)
		return -ENOMEM;
	if (!stretches->added && stretches_full(stretches))
		err = stretches_halve(stretches);
	if (err)
		return err;
	if (!stretches->added)
		stretches->count++;
	err = loop_add(&stretches->list[stretches->count - 1], next);
	stretches->added = (stretches->added + 1) % stretches->length;
	return err;
}

void stretches_free(struct stretches *stretches)
{
	for (size_t i = 0; i < stretches->count; i++)
		loop_free(&stretches->list[i]);
	free(stretches->list);
	*stretches = (struct stretches){ 0 };
}
