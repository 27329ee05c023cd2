// SPDX-License-Identifier: BSD-2-Clause
/* Verdicts on cases that were worked out by hand. */
#include "unit.h"

#include <stdlib.h>

#include "base/units.h"
#include "judge/judge.h"

enum { TRAINER = 100, CPUS = 4 };

/* A loop that is built up thread by thread. */
struct built {
	struct loop loop;
	struct loop_thread threads[16];
	struct loop_process processes[16];
	struct edge_report edges[32];
};

static uint64_t ns(double seconds)
{
	return (uint64_t)(seconds * NS_PER_S + 0.5);
}

static void begin(struct built *b, double wall_s, double clock_s)
{
	*b = (struct built){ 0 };
	b->loop = (struct loop){ .wall_ns = ns(wall_s),
				 .threads = b->threads,
				 .processes = b->processes,
				 .edges = b->edges };
	b->processes[b->loop.process_count++] = (struct loop_process){ .pid = TRAINER,
								       .trainer_pid = TRAINER,
								       .clock_ns = ns(clock_s) };
}

static struct loop_thread *add_thread(struct built *b, pid_t tid, pid_t pid)
{
	struct loop_thread *t = &b->threads[b->loop.thread_count++];

	t->tid = tid;
	t->pid = pid;
	if (tid == pid && pid != TRAINER)
		b->processes[b->loop.process_count++] =
			(struct loop_process){ .pid = pid, .trainer_pid = TRAINER };
	return t;
}

/* In all, and while the trainer waited. */
static void spend(struct loop_thread *t, unsigned int class, double all_s, double waiting_s)
{
	t->all.ns[class] += ns(all_s);
	t->waiting.ns[class] += ns(waiting_s);
}

static void add_edge(struct built *b, pid_t wakee, pid_t waker, double seconds)
{
	b->edges[b->loop.edge_count++] = (struct edge_report){ .wakee_tid = wakee,
							       .waker_tid = waker,
							       .ns = { [EDGE_IPC] = ns(seconds) },
							       .waits = 100 };
}

static struct verdict judged(struct built *b)
{
	struct verdict v;

	assert_int_equal(judge(&v, &b->loop, TRAINER, CPUS), 0);
	return v;
}

static double total(const struct verdict *v)
{
	double sum = 0;

	for (int class = 0; class < BLAME_CLASSES; class ++)
		sum += v->blame_pct[class];
	return sum;
}

/* 20 s of which the trainer waits 16; one worker reads 15.2 s of these, the other one sleeps on a lock. */
static void test_storage(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 16);
	t = add_thread(&b, TRAINER, TRAINER);
	spend(t, LEDGER_IPC, 16, 16);
	spend(t, LEDGER_CPU, 4, 0);
	t = add_thread(&b, 200, 200);
	spend(t, LEDGER_STORAGE_READ, 18, 14);
	spend(t, LEDGER_CPU, 1.5, 1.2);
	t = add_thread(&b, 300, 300);
	spend(t, LEDGER_CPU, 2, 1);
	spend(t, LEDGER_LOCK, 18, 15);
	add_edge(&b, TRAINER, 200, 15);
	add_edge(&b, TRAINER, 300, 1);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_STORAGE);
	assert_float_equal(v.input_bound_pct, 80, 1e-6);
	/* The critical one worked 15.2 of 16 s: 5 % are nobody's; of the rest 14 of 15.2 parts. */
	assert_float_equal(v.blame_pct[CLASS_PIPELINE], 5, 1e-6);
	assert_float_equal(v.blame_pct[CLASS_STORAGE], 95 * 14 / 15.2, 1e-6);
	assert_float_equal(v.blame_pct[CLASS_CPU], 95 * 1.2 / 15.2, 1e-6);
	assert_float_equal(total(&v), 100, 1e-6);
	assert_int_equal(v.confidence, CONFIDENCE_HIGH);
	assert_int_equal(v.producer_count, 2);
	assert_int_equal(v.producers[0].tid, 200);
	assert_true(v.producers[0].critical);
	assert_false(v.producers[1].critical);
	verdict_free(&v);
}

/* Through a queue's feeder thread, which itself does nothing. */
static void test_behind_a_feeder(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 10);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_IPC, 10, 10);
	t = add_thread(&b, 200, 200);
	spend(t, LEDGER_CPU, 19, 9.8);
	spend(add_thread(&b, 201, 200), LEDGER_LOCK, 20, 10);
	add_edge(&b, TRAINER, 201, 9.9);
	add_edge(&b, 201, 200, 19);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_CPU);
	assert_int_equal(v.producer_count, 1);
	assert_int_equal(v.producers[0].tid, 200);
	verdict_free(&v);
}

static void test_not_input_bound(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 0.5);
	t = add_thread(&b, TRAINER, TRAINER);
	spend(t, LEDGER_SLEEP, 19.5, 0);
	spend(t, LEDGER_IPC, 0.5, 0.5);
	spend(add_thread(&b, 200, 200), LEDGER_STORAGE_READ, 10, 0.4);
	add_edge(&b, TRAINER, 200, 0.5);
	add_edge(&b, 200, TRAINER, 9);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_NOT_INPUT_BOUND);
	assert_float_equal(total(&v), 0, 1e-9);
	verdict_free(&v);
}

/* It waits 9 of 20 s, the producers need 9 s, and the steps 11: nothing happens at the same time. */
static void test_in_turns(void **unused)
{
	struct built b;
	struct verdict v;

	(void)unused;
	begin(&b, 20, 9);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_IPC, 9, 9);
	spend(add_thread(&b, 200, 200), LEDGER_STORAGE_READ, 9, 9);
	add_edge(&b, TRAINER, 200, 9);
	add_edge(&b, 200, TRAINER, 11);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_PIPELINE);
	assert_true(v.overlap_lost > 0.9);
	verdict_free(&v);
}

static void test_checkpoint(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 2);
	t = add_thread(&b, TRAINER, TRAINER);
	spend(t, LEDGER_FSYNC, 5, 0);
	spend(t, LEDGER_IPC, 2, 2);
	spend(add_thread(&b, 200, 200), LEDGER_CPU, 10, 2);
	add_edge(&b, TRAINER, 200, 2);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_CHECKPOINT);
	verdict_free(&v);
}

static void test_no_single_cause(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 16);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_IPC, 16, 16);
	t = add_thread(&b, 200, 200);
	spend(t, LEDGER_STORAGE_READ, 10, 8);
	spend(t, LEDGER_CPU, 10, 8);
	add_edge(&b, TRAINER, 200, 16);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_MIXED);
	assert_float_equal(v.blame_pct[CLASS_STORAGE], 50, 1e-6);
	verdict_free(&v);
}

/*
 * A step of many threads: 14 of 15 s it waits for these, 1 s for a batch that goes through a thread of its own process.
 */
static void test_own_compute(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 15);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_LOCK, 15, 15);
	spend(add_thread(&b, 101, TRAINER), LEDGER_CPU, 19, 14);
	t = add_thread(&b, 102, TRAINER);
	spend(t, LEDGER_CPU, 1.5, 0.5);
	spend(t, LEDGER_IPC, 18, 14);
	spend(add_thread(&b, 200, 200), LEDGER_STORAGE_READ, 10, 0.9);
	add_edge(&b, TRAINER, 101, 14);
	add_edge(&b, 101, TRAINER, 5);
	add_edge(&b, TRAINER, 102, 1);
	add_edge(&b, 102, 200, 12);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_STORAGE);
	assert_float_equal(v.waited_s, 1, 1e-6);
	assert_int_equal(v.producer_count, 2);
	assert_int_equal(v.producers[0].tid, 200);
	verdict_free(&v);
	b.edges[0].ns[EDGE_IPC] = ns(14.5);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_NOT_INPUT_BOUND);
	verdict_free(&v);
}

/* Each reason for which there is no answer. */
static void test_unknown(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	/* Too short. */
	begin(&b, 1.9, 1.5);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_IPC, 1.5, 1.5);
	spend(add_thread(&b, 200, 200), LEDGER_CPU, 1.9, 1.5);
	add_edge(&b, TRAINER, 200, 1.5);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_SHORT);
	verdict_free(&v);
	/* Nobody is seen to end its waits. */
	begin(&b, 20, 15);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_IPC, 15, 15);
	add_edge(&b, TRAINER, 999, 15);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_NO_INPUT);
	verdict_free(&v);
	/* Threads of its own process read: and may compute its step. */
	begin(&b, 20, 15);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_LOCK, 15, 15);
	spend(add_thread(&b, 101, TRAINER), LEDGER_STORAGE_READ, 19, 15);
	add_edge(&b, TRAINER, 101, 15);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_SAME_PROCESS);
	verdict_free(&v);
	/* The loop is in another thread, and the first one waits for each of its steps. */
	begin(&b, 20, 19);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_LOCK, 19, 19);
	t = add_thread(&b, 101, TRAINER);
	spend(t, LEDGER_SLEEP, 15, 15);
	spend(t, LEDGER_IPC, 4, 4);
	spend(add_thread(&b, 200, 200), LEDGER_CPU, 10, 10);
	add_edge(&b, TRAINER, 101, 19);
	add_edge(&b, 101, 200, 4);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_SAME_PROCESS);
	verdict_free(&v);
	/* Most waits end by somebody else. */
	begin(&b, 20, 15);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_IPC, 15, 15);
	spend(add_thread(&b, 200, 200), LEDGER_CPU, 19, 15);
	add_edge(&b, TRAINER, 200, 3);
	add_edge(&b, TRAINER, 999, 12);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_UNCLEAR);
	verdict_free(&v);
	/* Threads that share one interpreter with the trainer. */
	begin(&b, 20, 15);
	t = add_thread(&b, TRAINER, TRAINER);
	spend(t, LEDGER_CPU, 5, 0);
	spend(t, LEDGER_LOCK, 15, 15);
	for (pid_t tid = 101; tid <= 103; tid++) {
		t = add_thread(&b, tid, TRAINER);
		spend(t, LEDGER_CPU, 4.5, 3);
		spend(t, LEDGER_LOCK, 13, 10);
		spend(t, LEDGER_STORAGE_READ, 2, 1.5);
		add_edge(&b, TRAINER, tid, 5);
	}
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_SAME_LOCK);
	verdict_free(&v);
}

/* 2 s of start-up, in which it waits for somebody else; 12 s of the loop, of which the ends do not count; 3 s after it. */
static void test_steady_part(void **unused)
{
	struct built parts[17];
	struct loop list[17];
	struct verdicts verdicts;

	(void)unused;
	for (int i = 0; i < 17; i++) {
		struct built *b = &parts[i];

		begin(b, 1, 0.8);
		spend(add_thread(b, TRAINER, TRAINER), LEDGER_IPC, 0.8, 0.8);
		if (i >= 2 && i < 14) {
			spend(add_thread(b, 200, 200), LEDGER_CPU, 1, 0.8);
			add_edge(b, TRAINER, 200, 0.8);
		} else {
			add_edge(b, TRAINER, 999, 0.8);
		}
		list[i] = b->loop;
	}
	assert_int_equal(judge_all(&verdicts, list, 17, CPUS), 0);
	assert_int_equal(verdicts.count, 1);
	assert_float_equal(verdicts.list[0].startup_s, 3, 1e-9);
	assert_float_equal(verdicts.list[0].steady_s, 10, 1e-9);
	assert_float_equal(verdicts.list[0].input_bound_pct, 80, 1e-6);
	assert_int_equal(verdicts.list[0].class, CLASS_CPU);
	verdicts_free(&verdicts);
	/* Nothing is seen. */
	assert_int_equal(judge_all(&verdicts, list, 0, CPUS), 0);
	assert_int_equal(verdicts.count, 0);
	verdicts_free(&verdicts);
}

/* As many threads as whystall follows: this is done once, but someone waits for it. */
static void test_thousands_of_threads(void **unused)
{
	enum { MANY = 10000 };
	struct loop loop = { .wall_ns = ns(20),
			     .thread_count = MANY,
			     .process_count = MANY / 10,
			     .edge_count = MANY };
	struct verdict v;

	(void)unused;
	loop.processes = calloc(MANY / 10, sizeof(*loop.processes));
	loop.threads = calloc(MANY, sizeof(*loop.threads));
	loop.edges = calloc(MANY, sizeof(*loop.edges));
	assert_true(loop.threads && loop.edges && loop.processes);
	for (pid_t i = 0; i < MANY / 10; i++)
		loop.processes[i] = (struct loop_process){ .pid = TRAINER + 10 * i,
							   .trainer_pid = TRAINER,
							   .clock_ns = ns(15) };
	for (pid_t i = 0; i < MANY; i++) {
		loop.threads[i] =
			(struct loop_thread){ .tid = TRAINER + i, .pid = TRAINER + i / 10 * 10 };
		spend(&loop.threads[i], i ? LEDGER_CPU : LEDGER_IPC, 15, 10);
		loop.edges[i] = (struct edge_report){ .wakee_tid = TRAINER + i / 2,
						      .waker_tid = TRAINER + i + 1,
						      .ns = { [EDGE_IPC] = ns(14) },
						      .waits = 100 };
	}
	assert_int_equal(judge(&v, &loop, TRAINER, CPUS), 0);
	assert_true(v.producer_count >= MANY - 10);
	verdict_free(&v);
	free(loop.threads);
	free(loop.edges);
	free(loop.processes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storage),         cmocka_unit_test(test_behind_a_feeder),
		cmocka_unit_test(test_not_input_bound), cmocka_unit_test(test_in_turns),
		cmocka_unit_test(test_checkpoint),      cmocka_unit_test(test_no_single_cause),
		cmocka_unit_test(test_own_compute),     cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_steady_part),     cmocka_unit_test(test_thousands_of_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
