// SPDX-License-Identifier: BSD-2-Clause
/* What-ifs on cases that were worked out by hand, and what holds for all. */
#include "unit.h"

#include <math.h>
#include <string.h>

#include "base/order.h"
#include "base/scratch.h"
#include "judge/advice.h"
#include "judge/what_if.h"
#include "model/edges.h"
#include "loops.h"

enum { TRAINER = 100, CPUS = 4, DISK = 7 << 20 | 1 };

static struct scratch scratch;

/* A loop, and what is known of the storage it reads from. */
struct whole {
	struct built b;
	struct verdict v;
	struct report report;
	struct concurrency_report concurrency[1];
	struct process_report processes[4];
	struct file_report files[4];
	struct io_row rows[4];
	struct limits limits[1];
	struct what_ifs told;
};

static void begin(struct whole *w, double wall_s, double waited_s)
{
	memset(w, 0, sizeof(*w));
	begin_empty(&w->b, wall_s);
	add_process(&w->b, TRAINER, 0)->clock_ns = ns(waited_s);
	spend(add_thread(&w->b, TRAINER, TRAINER), LEDGER_IPC, waited_s, waited_s);
	spend(&w->b.threads[0], LEDGER_SLEEP, wall_s - waited_s, 0);
	w->report = (struct report){ .seconds = wall_s,
				     .processes = w->processes,
				     .concurrency = w->concurrency };
}

/* A worker that reads and computes, in all and while the trainer waits; its waits are for /data. */
static struct loop_thread *add_worker(struct whole *w, pid_t pid, double read_s, double cpu_s,
				      double waiting)
{
	struct loop_thread *t;
	size_t i = w->report.process_count++;

	add_process(&w->b, pid, TRAINER);
	t = add_thread(&w->b, pid, pid);
	spend(t, LEDGER_STORAGE_READ, read_s, read_s * waiting);
	spend(t, LEDGER_CPU, cpu_s, cpu_s * waiting);
	add_edge(&w->b, TRAINER, pid, 5);
	w->files[i] = (struct file_report){ .path = "/data/file",
					    .mount = "/data",
					    .wait_ns = ns(read_s),
					    .kind_ns = { ns(read_s) } };
	w->processes[i] = (struct process_report){
		.pid = pid, .files = &w->files[i], .file_count = 1, .io = &w->rows[i]
	};
	w->processes[i].ledger.ns[LEDGER_STORAGE_READ] = ns(read_s);
	return t;
}

static void set_latencies(struct whole *w, double alone_s, double beside_s)
{
	w->concurrency[0] = (struct concurrency_report){ .name = "/data" };
	w->concurrency[0].count[0] = w->concurrency[0].count[1] = 100;
	w->concurrency[0].mean_s[0] = alone_s;
	w->concurrency[0].mean_s[1] = beside_s;
	w->report.concurrency_count = 1;
}

/* Its waits were ended by its workers, by one as long as by the other. */
static void find(struct whole *w)
{
	for (size_t k = 0; k < w->b.loop.edge_count; k++)
		if (w->b.edges[k].wakee_tid == TRAINER && w->b.edges[k].waker_pid)
			w->b.edges[k].ns[EDGE_IPC] =
				w->b.threads[0].all.ns[LEDGER_IPC] / (w->b.loop.process_count - 1);
	assert_int_equal(judge(&w->v, &scratch, &w->b.loop, TRAINER, TRAINER, CPUS), 0);
	what_if_find(&w->told, &w->v, &w->report);
}

static double speedup(const struct whole *w, enum what_if_change change)
{
	const struct what_if *told = what_if_of(&w->told, change);

	if (!told)
		fail_msg("change %d is not told: %d", (int)change, (int)w->told.untold[change]);
	return told->speedup;
}

static enum what_if_bound bound(const struct whole *w, enum what_if_change change)
{
	speedup(w, change);
	return what_if_of(&w->told, change)->bound;
}

static void expect_untold(const struct whole *w, enum what_if_change change,
			  enum what_if_untold why)
{
	assert_null(what_if_of(&w->told, change));
	assert_false(w->told.told[change]);
	assert_int_equal(w->told.untold[change], why);
}

static double model(const struct whole *w, const struct removal *removed)
{
	return what_if_speedup(&w->v, &w->report, removed);
}

/*
 * 20 s; the step takes 4 of them, one worker reads for 19 and computes for 1 s: all of the time. Two sides of 4 and 20 s are
 * 20 s long by any norm; 1 s and 4 s are 4.
 */
static void build_reader(struct whole *w)
{
	begin(w, 20, 16);
	add_worker(w, 200, 19, 1, 0.8);
	set_latencies(w, 0.010, 0.010);
}

static void test_storage(void **unused)
{
	struct whole w;

	(void)unused;
	build_reader(&w);
	find(&w);
	assert_float_equal(speedup(&w, CHANGE_STORAGE), 5, 0.001);
	assert_int_equal(bound(&w, CHANGE_STORAGE), BOUND_TRAINER);
	assert_float_equal(speedup(&w, CHANGE_CPU), 20. / 19, 0.001);
	assert_int_equal(bound(&w, CHANGE_CPU), BOUND_DEVICE);
	assert_float_equal(speedup(&w, CHANGE_WORKERS_X2), 2, 0.001);
	assert_int_equal(bound(&w, CHANGE_WORKERS_X2), BOUND_DEVICE);
	expect_untold(&w, CHANGE_NETWORK, UNTOLD_NOTHING);
	expect_untold(&w, CHANGE_LOCK, UNTOLD_NOTHING);
	expect_untold(&w, CHANGE_CHECKPOINT, UNTOLD_NOTHING);
	expect_untold(&w, CHANGE_PREFETCH, UNTOLD_NOTHING);
	/* The largest first. */
	assert_int_equal(w.told.count, 3);
	assert_int_equal(w.told.list[0].change, CHANGE_STORAGE);
	assert_int_equal(w.told.list[2].change, CHANGE_CPU);
}

/* Two sides of 10 s: by the norm of a single worker 10.9 s, of four 10.22 s (2 to the power of 1/32). */
static void test_norm(void **unused)
{
	struct whole w;

	(void)unused;
	begin(&w, 10.9051, 0.9051);
	add_worker(&w, 200, 0, 10, 0.09);
	find(&w);
	assert_float_equal(speedup(&w, CHANGE_CPU), 1.0905, 0.001);
	begin(&w, 10.2190, 0.9);
	for (pid_t pid = 200; pid < 204; pid++)
		add_worker(&w, pid, 0, 10, 0.09);
	w.b.threads[0].all.ns[LEDGER_SLEEP] = ns(9.3190);
	find(&w);
	/* Four processors: C is 10 s. Without it the step's 9.32 s are left. */
	assert_float_equal(speedup(&w, CHANGE_CPU), 1.0966, 0.001);
}

/* 10 MB in 20 s of a limit of 0.5 MB/s: it takes all of the time, though the waits are short. */
static void test_limit(void **unused)
{
	struct whole w;

	(void)unused;
	build_reader(&w);
	w.b.threads[1].all.ns[LEDGER_STORAGE_READ] = ns(12);
	w.b.threads[1].waiting.ns[LEDGER_STORAGE_READ] = ns(9.6);
	w.report.concurrency_count = 0;
	w.processes[0].io_count = 1;
	w.rows[0] = (struct io_row){ .key = { .op = IO_READ, .device = DISK }, .bytes = 10000000 };
	w.limits[0] = (struct limits){ .pid = TRAINER,
				       .cpus = 2,
				       .device_count = 1,
				       .devices = { { .device = DISK, .read_bytes_s = 500000 } } };
	w.report.limits = w.limits;
	w.report.limits_count = 1;
	find(&w);
	assert_float_equal(w.told.limit_bytes_s, 500000, 1e-9);
	assert_float_equal(w.told.cpus, 2, 1e-9);
	assert_float_equal(speedup(&w, CHANGE_WORKERS_X2), 1, 0.001);
	assert_int_equal(bound(&w, CHANGE_WORKERS_X2), BOUND_LIMIT);
	assert_float_equal(speedup(&w, CHANGE_CPU), 1, 0.001);
	assert_float_equal(speedup(&w, CHANGE_STORAGE), 5, 0.001);
	/* A part whose owner is not known, but its control group. */
	w.rows[0].bytes = 3000000;
	w.rows[1] = (struct io_row){ .key = { .op = IO_READ, .device = DISK }, .bytes = 7000000 };
	w.processes[1] =
		(struct process_report){ .comm = "[cgroup job]", .io = &w.rows[1], .io_count = 1 };
	w.report.process_count = 2;
	find(&w);
	assert_float_equal(speedup(&w, CHANGE_WORKERS_X2), 1, 0.001);
	strcpy(w.processes[1].comm, "[kernel]");
	find(&w);
	expect_untold(&w, CHANGE_WORKERS_X2, UNTOLD_SERVING);
	w.rows[0].bytes = 10000000;
	/* Of another disk, and of another process: not known. */
	w.limits[0].devices[0].device = DISK + 1;
	find(&w);
	expect_untold(&w, CHANGE_WORKERS_X2, UNTOLD_SERVING);
	w.limits[0].devices[0].device = DISK;
	w.limits[0].pid = 999;
	find(&w);
	expect_untold(&w, CHANGE_WORKERS_X2, UNTOLD_SERVING);
	assert_float_equal(w.told.cpus, CPUS, 1e-9);
}

/* Two workers that compute all of the time, and the step 4 of 20 s: processors bind where there are two. */
static void test_processors(void **unused)
{
	struct whole w;

	(void)unused;
	begin(&w, 20, 16);
	add_worker(&w, 200, 0, 20, 0.8);
	add_worker(&w, 300, 0, 20, 0.8);
	find(&w);
	assert_float_equal(speedup(&w, CHANGE_CPU), 5, 0.001);
	assert_int_equal(bound(&w, CHANGE_CPU), BOUND_TRAINER);
	assert_float_equal(speedup(&w, CHANGE_WORKERS_X2), 2, 0.001);
	w.limits[0] = (struct limits){ .pid = TRAINER, .cpus = 2 };
	w.report.limits = w.limits;
	w.report.limits_count = 1;
	find(&w);
	assert_float_equal(speedup(&w, CHANGE_WORKERS_X2), 1, 0.001);
	assert_int_equal(bound(&w, CHANGE_WORKERS_X2), BOUND_CPUS);
	assert_float_equal(speedup(&w, CHANGE_STORAGE), 1, 0.001);
	/* Others use them: each runs for 12 s and waits for 8. */
	w.report.limits_count = 0;
	for (int i = 1; i <= 2; i++) {
		struct loop_thread *t = &w.b.threads[i];

		t->all.ns[LEDGER_CPU] = ns(12);
		t->waiting.ns[LEDGER_CPU] = ns(9.6);
		spend(t, LEDGER_RUNQUEUE, 8, 6.4);
	}
	find(&w);
	assert_float_equal(speedup(&w, CHANGE_RUNQUEUE), 20. / 12, 0.001);
	assert_float_equal(speedup(&w, CHANGE_CPU), 5, 0.001);
	expect_untold(&w, CHANGE_WORKERS_X2, UNTOLD_QUEUED);
}

/* 11 s of steps and 9 s of making by turns: ahead, it would take 11 s and what two sides near balance cost. */
static void test_turns(void **unused)
{
	double ahead = pow(pow(11, 8) + pow(9, 8), 0.125);
	struct whole w;

	(void)unused;
	begin(&w, 20, 9);
	add_worker(&w, 200, 9, 0, 1);
	find(&w);
	assert_float_equal(speedup(&w, CHANGE_PREFETCH), 20 / ahead, 0.02);
	assert_int_equal(bound(&w, CHANGE_PREFETCH), BOUND_TRAINER);
	assert_true(w.told.list[0].change == CHANGE_STORAGE);
	assert_float_equal(speedup(&w, CHANGE_STORAGE), 20. / 11, 0.02);
	expect_untold(&w, CHANGE_WORKERS_X2, UNTOLD_SERVING);
}

static void test_checkpoint(void **unused)
{
	struct whole w;

	(void)unused;
	begin(&w, 20, 2);
	w.b.threads[0].all.ns[LEDGER_SLEEP] = ns(13);
	spend(&w.b.threads[0], LEDGER_FSYNC, 5, 0);
	add_worker(&w, 200, 0, 10, 0.2);
	find(&w);
	assert_float_equal(speedup(&w, CHANGE_CHECKPOINT), 20 / 13.2, 0.15);
	assert_true(what_if_of(&w.told, CHANGE_CHECKPOINT)->at_least);
}

/* Four take turns to read: each works a quarter of the time. */
static void test_lock(void **unused)
{
	struct whole w;

	(void)unused;
	begin(&w, 20, 16);
	for (pid_t pid = 200; pid < 204; pid++)
		spend(add_worker(&w, pid, 5, 0, 0.8), LEDGER_LOCK, 15, 12);
	for (pid_t pid = 200; pid < 204; pid++)
		for (pid_t other = 200; other < 204; other++)
			if (other != pid)
				add_edge_of(&w.b, EDGE_LOCK, pid, other, 5);
	find(&w);
	assert_int_equal(w.v.class, CLASS_LOCK);
	/* Whether the storage serves four at a time was never seen. */
	expect_untold(&w, CHANGE_LOCK, UNTOLD_SERVING);
	expect_untold(&w, CHANGE_WORKERS_X2, UNTOLD_LOCKED);
	expect_untold(&w, CHANGE_PREFETCH, UNTOLD_NOTHING);
	assert_float_equal(speedup(&w, CHANGE_STORAGE), 5, 0.01);
	set_latencies(&w, 0.01, 0.01);
	find(&w);
	/* 5 s of reading each, and 4 s of steps. */
	assert_float_equal(speedup(&w, CHANGE_LOCK), 20 / pow(pow(5, 32) + pow(4, 32), 1 / 32.),
			   0.01);
	assert_int_equal(bound(&w, CHANGE_LOCK), BOUND_DEVICE);
}

/* What cannot be known is not told, but where even its best case is no gain. */
static void test_doubt(void **unused)
{
	struct whole w;

	(void)unused;
	build_reader(&w);
	set_latencies(&w, 0.010, 0.020);
	find(&w);
	expect_untold(&w, CHANGE_WORKERS_X2, UNTOLD_SERVING);
	expect_untold(&w, CHANGE_CPU, UNTOLD_SERVING);
	speedup(&w, CHANGE_STORAGE);
	/* It computes for 0.2 s. */
	w.b.threads[1].all.ns[LEDGER_CPU] = ns(0.2);
	find(&w);
	assert_float_equal(speedup(&w, CHANGE_CPU), 1, 0.02);
	/* A server. */
	build_reader(&w);
	w.b.threads[1].all.ns[LEDGER_STORAGE_READ] = 0;
	w.b.threads[1].waiting.ns[LEDGER_STORAGE_READ] = 0;
	spend(&w.b.threads[1], LEDGER_NETWORK, 19, 15.2);
	find(&w);
	expect_untold(&w, CHANGE_WORKERS_X2, UNTOLD_SERVER);
	assert_float_equal(speedup(&w, CHANGE_NETWORK), 5, 0.001);
}

static void test_nothing_is_told(void **unused)
{
	struct whole w;

	(void)unused;
	begin(&w, 1, 0.5);
	add_worker(&w, 200, 1, 0, 0.5);
	find(&w);
	assert_int_equal(w.told.count, 0);
	expect_untold(&w, CHANGE_STORAGE, UNTOLD_CLASS);
	/* By processes outside the job. */
	begin(&w, 20, 15);
	add_edge(&w.b, TRAINER, 999, 15);
	find(&w);
	assert_int_equal(w.v.class, CLASS_EXTERNAL);
	expect_untold(&w, CHANGE_STORAGE, UNTOLD_OUTSIDE);
	/* 4 s of waits for one that worked for 20 of 20 s, and 16 of steps: fine. If it worked for 30, it was not one. */
	begin(&w, 20, 4);
	add_worker(&w, 200, 20, 0, 0.2);
	find(&w);
	assert_true(w.told.count > 0);
	w.b.threads[1].all.ns[LEDGER_STORAGE_READ] = ns(30);
	find(&w);
	assert_int_equal(w.told.count, 0);
	expect_untold(&w, CHANGE_STORAGE, UNTOLD_CHECK);
}

/* 11 s of reads in 20 s. */
static void test_it_reads_itself(void **unused)
{
	struct whole w;

	(void)unused;
	begin(&w, 20, 0);
	w.b.processes[0].frameworks = FRAMEWORK_PYTHON;
	w.b.processes[0].clock_ns = ns(11);
	w.b.threads[0].all.ns[LEDGER_SLEEP] = ns(9);
	spend(&w.b.threads[0], LEDGER_STORAGE_READ, 11, 11);
	find(&w);
	assert_int_equal(w.v.input, INPUT_OWN);
	assert_float_equal(speedup(&w, CHANGE_STORAGE), 20. / 9, 1e-6);
	assert_int_equal(w.told.count, 1);
	expect_untold(&w, CHANGE_CPU, UNTOLD_OWN);
	expect_untold(&w, CHANGE_WORKERS_X2, UNTOLD_OWN);
}

/* No more than one of its threads runs at a time. */
static void test_one_interpreter(void **unused)
{
	struct whole w;

	(void)unused;
	begin(&w, 20, 0);
	w.v = (struct verdict){
		.class = CLASS_LOCK, .interpreter_lock = true, .interpreter_s = 19, .steady_s = 20
	};
	what_if_find(&w.told, &w.v, &w.report);
	assert_int_equal(w.told.count, 1);
	assert_float_equal(speedup(&w, CHANGE_WORKERS_X2), 20. / 19, 1e-9);
	w.v.interpreter_s = 21;
	what_if_find(&w.told, &w.v, &w.report);
	assert_float_equal(speedup(&w, CHANGE_WORKERS_X2), 1, 1e-9);
	expect_untold(&w, CHANGE_CPU, UNTOLD_CLASS);
}

static double between(uint64_t *state, double low, double high)
{
	return low + (high - low) * (double)(random_next(state) >> 11) / (double)(1ULL << 53);
}

/* Any loop that could be. */
static void build_random(struct whole *w, uint64_t *state)
{
	static const unsigned int classes[] = { LEDGER_RUNQUEUE, LEDGER_NETWORK, LEDGER_SLEEP };
	double waited_s = between(state, 0, 20);
	pid_t workers = 1 + (pid_t)(random_next(state) % 4);

	begin(w, 20, waited_s);
	w->b.threads[0].all.ns[LEDGER_SLEEP] = 0;
	spend(&w->b.threads[0], LEDGER_CPU, (20 - waited_s) * 0.7, 0);
	spend(&w->b.threads[0], LEDGER_RUNQUEUE, (20 - waited_s) * 0.2, 0);
	spend(&w->b.threads[0], LEDGER_FSYNC, (20 - waited_s) * 0.1, 0);
	for (pid_t i = 0; i < workers; i++) {
		double left = between(state, 0, 20);
		struct loop_thread *t =
			add_worker(w, 200 + 10 * i, left / 3, left / 3, waited_s / 20);
		unsigned int class = classes[random_next(state) % 3];

		spend(t, class, left / 3, left / 3 * waited_s / 20);
		spend(t, LEDGER_LOCK, 20 - left, (20 - left) * waited_s / 20);
	}
	if (workers > 1)
		add_edge_of(&w->b, EDGE_LOCK, 200, 210, 3);
}

/* Draw until the verdict is one that what-ifs rest on. */
static void find_random(struct whole *w, uint64_t *state)
{
	build_random(w, state);
	find(w);
}

static void test_nothing_removed(void **unused)
{
	static const struct removal nothing = { 0 };
	uint64_t state = 1;

	(void)unused;
	for (int i = 0; i < 2000; i++) {
		struct whole w;

		find_random(&w, &state);
		assert_float_equal(model(&w, &nothing), 1, 1e-9);
	}
}

/* More is gone: it never gets slower. */
static void test_monotone(void **unused)
{
	uint64_t state = 2;

	(void)unused;
	for (int i = 0; i < 500; i++) {
		struct removal removed = { 0 };
		struct whole w;
		double before = 1;

		find_random(&w, &state);
		for (int step = 0; step < 24; step++) {
			double *const which[] = { &removed.part[CLASS_STORAGE],
						  &removed.part[CLASS_CPU],
						  &removed.part[CLASS_RUNQUEUE],
						  &removed.part[CLASS_NETWORK],
						  &removed.locks,
						  &removed.checkpoints,
						  &removed.turns,
						  &removed.more_workers };
			double *one = which[random_next(&state) % 8], after;

			*one = fmin(1, *one + between(&state, 0, 0.7));
			after = model(&w, &removed);
			if (after < before - 1e-9)
				fail_msg("loop %d, step %d: %f after %f", i, step, after, before);
			before = after;
		}
	}
}

static void expect_same(const struct whole *a, const struct whole *b)
{
	assert_int_equal(a->told.count, b->told.count);
	for (int change = 0; change < CHANGES; change++) {
		const struct what_if *x = what_if_of(&a->told, (enum what_if_change)change);
		const struct what_if *y = what_if_of(&b->told, (enum what_if_change)change);

		assert_true(!x == !y);
		if (!x)
			continue;
		assert_float_equal(x->speedup, y->speedup, 1e-6);
		assert_int_equal(x->bound, y->bound);
	}
}

/* Workers swap what they did. */
static void test_order_of_threads(void **unused)
{
	uint64_t state = 3;
	size_t told = 0;

	(void)unused;
	for (int i = 0; i < 300; i++) {
		struct whole w, other;

		build_random(&w, &state);
		w.b.loop.edge_count = w.report.process_count; /* edges are between certain ones */
		other = w;
		other.b.loop.threads = other.b.threads;
		other.b.loop.processes = other.b.processes;
		other.b.loop.edges = other.b.edges;
		other.report.processes = other.processes;
		for (size_t k = 1; k < w.b.loop.thread_count; k++) {
			const struct loop_thread *from = &w.b.threads[w.b.loop.thread_count - k];

			other.b.threads[k].all = from->all;
			other.b.threads[k].waiting = from->waiting;
		}
		find(&w);
		find(&other);
		expect_same(&w, &other);
		told += w.told.count;
	}
	assert_true(told > 300);
}

static void halve(struct ledger *ledger)
{
	for (int i = 0; i < LEDGER_STATES; i++)
		ledger->ns[i] /= 2;
}

static int by_pair(const void *a, const void *b)
{
	return edge_compare_pairs(a, b);
}

/* Two halves, added up, are the whole. */
static void test_split(void **unused)
{
	uint64_t state = 4;
	size_t told = 0;

	(void)unused;
	for (int i = 0; i < 300; i++) {
		struct whole w, half;
		struct loop sum = { 0 };

		find_random(&w, &state);
		half = w;
		half.b.loop.threads = half.b.threads;
		half.b.loop.processes = half.b.processes;
		half.b.loop.edges = half.b.edges;
		half.report.processes = half.processes;
		half.b.loop.wall_ns /= 2;
		for (size_t k = 0; k < half.b.loop.thread_count; k++) {
			halve(&half.b.threads[k].all);
			halve(&half.b.threads[k].waiting);
		}
		for (size_t k = 0; k < half.b.loop.process_count; k++)
			half.b.processes[k].clock_ns /= 2;
		for (size_t k = 0; k < half.b.loop.edge_count; k++) {
			half.b.edges[k].waits /= 2;
			for (int kind = 0; kind < EDGE_KINDS; kind++)
				half.b.edges[k].ns[kind] /= 2;
		}
		sort_in_place(half.b.edges, half.b.loop.edge_count, sizeof(half.b.edges[0]),
			      by_pair);
		assert_int_equal(loop_add(&sum, &half.b.loop), 0);
		assert_int_equal(loop_add(&sum, &half.b.loop), 0);
		assert_int_equal(judge(&half.v, &scratch, &sum, TRAINER, TRAINER, CPUS), 0);
		what_if_find(&half.told, &half.v, &half.report);
		expect_same(&w, &half);
		told += w.told.count;
		loop_free(&sum);
	}
	assert_true(told > 300);
}

/* Ordered by what each would bring; what would bring nothing is left out, what is not known stays behind. */
static void test_advice(void **unused)
{
	struct advice list[ADVICE_MOST] = {
		{ .kind = ADVICE_PERSISTENT_WORKERS }, { .kind = ADVICE_MORE_WORKERS },
		{ .kind = ADVICE_LESS_CPU },           { .kind = ADVICE_MOVE_CHECKPOINTS },
		{ .kind = ADVICE_FASTER_STORAGE },
	};
	struct what_ifs told = {
		.list = { { .change = CHANGE_STORAGE, .speedup = 4 },
			  { .change = CHANGE_CPU, .speedup = 1.5 },
			  { .change = CHANGE_WORKERS_X2, .speedup = 1.02 },
			  { .change = CHANGE_CHECKPOINT, .speedup = 1.01, .at_least = true } },
		.count = 4,
	};

	(void)unused;
	assert_int_equal(advice_rate(list, 5, &told), 4);
	assert_int_equal(list[0].kind, ADVICE_FASTER_STORAGE);
	assert_float_equal(list[0].speedup, 4, 1e-9);
	assert_int_equal(list[1].kind, ADVICE_LESS_CPU);
	assert_int_equal(list[2].kind, ADVICE_MOVE_CHECKPOINTS);
	assert_int_equal(list[3].kind, ADVICE_PERSISTENT_WORKERS);
	assert_float_equal(list[3].speedup, 0, 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storage),
		cmocka_unit_test(test_norm),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_processors),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_checkpoint),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_nothing_is_told),
		cmocka_unit_test(test_it_reads_itself),
		cmocka_unit_test(test_one_interpreter),
		cmocka_unit_test(test_nothing_removed),
		cmocka_unit_test(test_monotone),
		cmocka_unit_test(test_order_of_threads),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
