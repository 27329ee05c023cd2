// SPDX-License-Identifier: BSD-2-Clause
#include "model/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "base/scratch.h"
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

/* Where threads, or owners, of a sample are. */
static int by_tid_and_start(const void *a, const void *b)
{
	const struct thread *const *x = a, *const *y = b;
	int order = compare_numbers((*x)->tid, (*y)->tid);

	return order ? order : compare_numbers((*x)->start_ns, (*y)->start_ns);
}

static int by_pid_and_start(const void *a, const void *b)
{
	const struct owner_sample *const *x = a, *const *y = b;
	int order = compare_numbers((*x)->owner.pid, (*y)->owner.pid);

	return order ? order :
		       compare_numbers((*x)->owner.start_boot_ns, (*y)->owner.start_boot_ns);
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

/* An array of a loop: sorted. Added to a sum each element is there once, also where a part has it twice. */
struct kind {
	size_t size;
	int (*order)(const void *, const void *);
	void (*add)(void *, const void *);
};

static const struct kind threads_kind = { sizeof(struct loop_thread), by_thread, add_thread };
static const struct kind processes_kind = { sizeof(struct loop_process), by_pid, add_process };
static const struct kind edges_kind = { sizeof(struct edge_report), by_pair, add_edge };

/* How many elements of the second array the first one does not have. */
static size_t count_new(const struct kind *kind, const char *array, size_t count, const char *more,
			size_t more_count)
{
	size_t at = 0, found = 0;

	for (size_t i = 0; i < more_count; i++) {
		const char *next = more + i * kind->size;

		if (i && kind->order(next - kind->size, next) == 0)
			continue;
		while (at < count && kind->order(array + at * kind->size, next) < 0)
			at++;
		found += at == count || kind->order(array + at * kind->size, next) != 0;
	}
	return found;
}

static void move(const struct kind *kind, char *array, size_t to, size_t from)
{
	if (to != from)
		memcpy(array + to * kind->size, array + from * kind->size, kind->size);
}

/* From the end, where the room is. */
static void merge_into(const struct kind *kind, char *array, size_t count, size_t total,
		       const char *more, size_t more_count)
{
	const size_t end = total;

	while (more_count) {
		const char *next = more + --more_count * kind->size;

		while (count && kind->order(array + (count - 1) * kind->size, next) > 0)
			move(kind, array, --total, --count);
		if (total < end && kind->order(array + total * kind->size, next) == 0) {
			kind->add(array + total * kind->size, next);
			continue;
		}
		total--;
		if (count && kind->order(array + (count - 1) * kind->size, next) == 0) {
			move(kind, array, total, --count);
			kind->add(array + total * kind->size, next);
		} else {
			memcpy(array + total * kind->size, next, kind->size);
		}
	}
}

/* In most intervals nothing is new. No more memory is kept than it takes: a run has hundreds of these. */
static int merge(const struct kind *kind, void **array, size_t *count, size_t *capacity,
		 const void *more, size_t more_count)
{
	size_t total = *count + count_new(kind, *array, *count, more, more_count);

	if (total > *capacity) {
		void *larger = reallocarray(*array, total, kind->size);

		if (!larger)
			return -ENOMEM;
		*array = larger;
		*capacity = total;
	}
	merge_into(kind, *array, *count, total, more, more_count);
	*count = total;
	return 0;
}

int loop_add(struct loop *sum, const struct loop *part)
{
	int err;

	sum->wall_ns += part->wall_ns;
	sum->looks += part->looks;
	sum->ended_ns += part->ended_ns;
	sum->left_out_cpu_ns += part->left_out_cpu_ns;
	err = merge(&threads_kind, (void **)&sum->threads, &sum->thread_count,
		    &sum->thread_capacity, part->threads, part->thread_count);
	if (!err)
		err = merge(&processes_kind, (void **)&sum->processes, &sum->process_count,
			    &sum->process_capacity, part->processes, part->process_count);
	if (!err)
		err = merge(&edges_kind, (void **)&sum->edges, &sum->edge_count,
			    &sum->edge_capacity, part->edges, part->edge_count);
	return err;
}

static void build_thread(struct loop_thread *t, const struct sample *from, const struct sample *to,
			 size_t index, uint32_t owner)
{
	const struct thread *thread = &to->threads[index];

	t->tid = (pid_t)thread->tid;
	t->pid = (pid_t)to->owners[owner].owner.pid;
	t->start_ns = thread->start_ns;
	t->ended = thread->life == THREAD_ENDED;
	t->socket = thread->socket;
	t->peer_port = thread->peer_port;
	ledger_of_thread(&t->all, from, to, index, LEDGER_ALL);
	ledger_of_thread(&t->waiting, from, to, index, LEDGER_WAITING);
	t->stretches = 1;
	t->ran = t->all.ns[LEDGER_CPU] > (to->threads_ns - from->threads_ns) / TRACE;
}

static int build_threads(struct loop *loop, struct scratch *scratch, const struct sample *from,
			 const struct sample *to)
{
	const struct thread **sorted = scratch_take(scratch, to->thread_count + 1, sizeof(void *));
	size_t count = 0;

	for (size_t i = 0; sorted && i < to->thread_count; i++)
		if (to->threads[i].life != THREAD_FREE)
			sorted[count++] = &to->threads[i];
	loop->threads = scratch_take(scratch, count + 1, sizeof(*loop->threads));
	if (!sorted || !loop->threads)
		return -ENOMEM;
	sort_in_place((void *)sorted, count, sizeof(void *), by_tid_and_start);
	for (size_t i = 0; i < count; i++) {
		struct loop_thread *t = &loop->threads[loop->thread_count];
		uint32_t owner = ledger_owner(to, sorted[i]);

		if (owner < OWNER_FIRST || to->owners[owner].owner.kind == OWNER_SERVER)
			continue;
		build_thread(t, from, to, (size_t)(sorted[i] - to->threads), owner);
		if (ledger_wall_ns(&t->all))
			loop->thread_count++;
	}
	return 0;
}

static void build_process(struct loop_process *p, const struct sample *from,
			  const struct sample *to, uint32_t index)
{
	const struct owner *o = &to->owners[index].owner;

	*p = (struct loop_process){
		.pid = (pid_t)o->pid,
		.owner = index,
		.ppid = (pid_t)o->ppid,
		.start_boot_ns = o->start_boot_ns,
		.clock_tid = o->clock_tid ? (pid_t)o->clock_tid : (pid_t)o->pid,
		.marked = o->marked,
		.frameworks = to->owners[index].frameworks,
		.clock_ns = ledger_clock_ns(from, to, index),
	};
	if (o->trainer >= OWNER_FIRST && o->trainer < to->owner_count)
		p->trainer_pid = (pid_t)to->owners[o->trainer].owner.pid;
}

/* Of its threads of which no row is left. */
static uint64_t ended_ns(const struct sample *from, const struct sample *to, uint32_t index)
{
	const struct owner *o = &to->owners[index].owner;
	bool same = index < from->owner_count &&
		    from->owners[index].owner.start_boot_ns == o->start_boot_ns;
	uint64_t ns = 0;

	for (int k = 0; k < LEDGER_CLASSES; k++)
		ns += o->ended_ns[k] - (same ? from->owners[index].owner.ended_ns[k] : 0);
	return ns;
}

static int build_processes(struct loop *loop, struct scratch *scratch, const struct sample *from,
			   const struct sample *to)
{
	const struct owner_sample **sorted =
		scratch_take(scratch, to->owner_count + 1, sizeof(void *));
	size_t count = 0;

	for (size_t i = OWNER_FIRST; sorted && i < to->owner_count; i++)
		if (to->owners[i].owner.kind == OWNER_PROCESS)
			sorted[count++] = &to->owners[i];
	loop->processes = scratch_take(scratch, count + 1, sizeof(*loop->processes));
	if (!sorted || !loop->processes)
		return -ENOMEM;
	sort_in_place((void *)sorted, count, sizeof(void *), by_pid_and_start);
	for (size_t i = 0; i < count; i++) {
		uint32_t index = (uint32_t)(sorted[i] - to->owners);
		struct loop_process *last =
			loop->process_count ? &loop->processes[loop->process_count - 1] : NULL;
		struct loop_process p;

		build_process(&p, from, to, index);
		loop->ended_ns += ended_ns(from, to, index);
		if (last && last->pid == p.pid)
			add_process(last, &p);
		else
			loop->processes[loop->process_count++] = p;
	}
	return 0;
}

int loop_build(struct loop *loop, struct scratch *scratch, const struct sample *from,
	       const struct sample *to)
{
	int err;

	*loop = (struct loop){ .wall_ns = to->threads_ns - from->threads_ns,
			       .looks = to->looks - from->looks };
	err = build_threads(loop, scratch, from, to);
	if (!err)
		err = build_processes(loop, scratch, from, to);
	if (!err)
		err = edges_between(&loop->edges, &loop->edge_count, scratch, from, to);
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

static void loop_clear(struct loop *loop)
{
	*loop = (struct loop){ .threads = loop->threads,
			       .thread_capacity = loop->thread_capacity,
			       .processes = loop->processes,
			       .process_capacity = loop->process_capacity,
			       .edges = loop->edges,
			       .edge_capacity = loop->edge_capacity };
}

static void loop_swap(struct loop *a, struct loop *b)
{
	struct loop kept = *a;

	*a = *b;
	*b = kept;
}

/* Twice as long, half as many. Of an odd number the last one is half of one, which goes on. */
static int stretches_halve(struct stretches *stretches)
{
	for (size_t i = 0; i < stretches->count; i += 2) {
		struct loop *next = &stretches->list[i + 1];

		if (i + 1 < stretches->count) {
			if (loop_add(&stretches->list[i], next))
				return -ENOMEM;
			loop_clear(next);
		} else {
			stretches->added = stretches->length;
		}
		if (i)
			loop_swap(&stretches->list[i / 2], &stretches->list[i]);
	}
	stretches->count = (stretches->count + 1) / 2;
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
	for (size_t i = 0; stretches->list && i <= MAX_STRETCHES; i++)
		loop_free(&stretches->list[i]);
	free(stretches->list);
	*stretches = (struct stretches){ 0 };
}
