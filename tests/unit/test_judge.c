// SPDX-License-Identifier: BSD-2-Clause
/* Verdicts on cases that were worked out by hand. */
#include "unit.h"

#include <stdlib.h>

#include "judge/judge.h"
#include "loops.h"

enum { TRAINER = 100, CPUS = 4 };

static struct scratch scratch;

/* With one trainer. */
static void begin(struct built *b, double wall_s, double clock_s)
{
	begin_empty(b, wall_s);
	add_process(b, TRAINER, 0)->clock_ns = ns(clock_s);
}

/* A thread of the trainer or of one of its workers, which it begins. */
static struct loop_thread *add(struct built *b, pid_t tid, pid_t pid)
{
	if (tid == pid && pid != TRAINER)
		add_process(b, pid, TRAINER);
	return add_thread(b, tid, pid);
}

static struct verdict judged(struct built *b)
{
	struct verdict v;

	assert_int_equal(judge(&v, &scratch, &b->loop, TRAINER, TRAINER, CPUS), 0);
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
	t = add(&b, TRAINER, TRAINER);
	spend(t, LEDGER_IPC, 16, 16);
	spend(t, LEDGER_CPU, 4, 0);
	t = add(&b, 200, 200);
	spend(t, LEDGER_STORAGE_READ, 18, 14);
	spend(t, LEDGER_CPU, 1.5, 1.2);
	t = add(&b, 300, 300);
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
}

/* Through a queue's feeder thread, which itself does nothing. */
static void test_behind_a_feeder(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 10);
	spend(add(&b, TRAINER, TRAINER), LEDGER_IPC, 10, 10);
	t = add(&b, 200, 200);
	spend(t, LEDGER_CPU, 19, 9.8);
	spend(add(&b, 201, 200), LEDGER_LOCK, 20, 10);
	add_edge(&b, TRAINER, 201, 9.9);
	add_edge(&b, 201, 200, 19);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_CPU);
	assert_int_equal(v.producer_count, 1);
	assert_int_equal(v.producers[0].tid, 200);
}

static void test_not_input_bound(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 0.5);
	t = add(&b, TRAINER, TRAINER);
	spend(t, LEDGER_SLEEP, 19.5, 0);
	spend(t, LEDGER_IPC, 0.5, 0.5);
	spend(add(&b, 200, 200), LEDGER_STORAGE_READ, 10, 0.4);
	add_edge(&b, TRAINER, 200, 0.5);
	add_edge(&b, 200, TRAINER, 9);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_NOT_INPUT_BOUND);
	assert_float_equal(total(&v), 0, 1e-9);
}

/* It waits 9 of 20 s, the producers need 9 s, and the steps 11: nothing happens at the same time. */
static void test_in_turns(void **unused)
{
	struct built b;
	struct verdict v;

	(void)unused;
	begin(&b, 20, 9);
	spend(add(&b, TRAINER, TRAINER), LEDGER_IPC, 9, 9);
	spend(add(&b, 200, 200), LEDGER_STORAGE_READ, 9, 9);
	add_edge(&b, TRAINER, 200, 9);
	add_edge(&b, 200, TRAINER, 11);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_PIPELINE);
	assert_true(v.overlap_lost > 0.9);
}

static void test_checkpoint(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 2);
	t = add(&b, TRAINER, TRAINER);
	spend(t, LEDGER_FSYNC, 5, 0);
	spend(t, LEDGER_IPC, 2, 2);
	spend(add(&b, 200, 200), LEDGER_CPU, 10, 2);
	add_edge(&b, TRAINER, 200, 2);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_CHECKPOINT);
}

static void test_no_single_cause(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 16);
	spend(add(&b, TRAINER, TRAINER), LEDGER_IPC, 16, 16);
	t = add(&b, 200, 200);
	spend(t, LEDGER_STORAGE_READ, 10, 8);
	spend(t, LEDGER_CPU, 10, 8);
	add_edge(&b, TRAINER, 200, 16);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_MIXED);
	assert_float_equal(v.blame_pct[CLASS_STORAGE], 50, 1e-6);
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
	spend(add(&b, TRAINER, TRAINER), LEDGER_LOCK, 15, 15);
	spend(add(&b, 101, TRAINER), LEDGER_CPU, 19, 14);
	t = add(&b, 102, TRAINER);
	spend(t, LEDGER_CPU, 1.5, 0.5);
	spend(t, LEDGER_IPC, 18, 14);
	spend(add(&b, 200, 200), LEDGER_STORAGE_READ, 19, 14);
	add_edge(&b, TRAINER, 101, 14);
	add_edge(&b, 101, TRAINER, 5);
	add_edge(&b, TRAINER, 102, 1);
	add_edge(&b, 102, 200, 12);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_STORAGE);
	assert_float_equal(v.waited_s, 1, 1e-6);
	assert_int_equal(v.producer_count, 2);
	assert_int_equal(v.producers[0].tid, 200);
	b.edges[0].ns[EDGE_IPC] = ns(14.5);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_NOT_INPUT_BOUND);
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
	spend(add(&b, TRAINER, TRAINER), LEDGER_IPC, 1.5, 1.5);
	spend(add(&b, 200, 200), LEDGER_CPU, 1.9, 1.5);
	add_edge(&b, TRAINER, 200, 1.5);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_SHORT);
	/* Nobody is seen to end its waits. */
	begin(&b, 20, 15);
	spend(add(&b, TRAINER, TRAINER), LEDGER_IPC, 15, 15);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_SHORT);
	add_edge(&b, TRAINER, 0, 15);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_NO_INPUT);
	/* Threads of its own process read, and may compute its step: TensorFlow, whose function is not found. */
	begin(&b, 20, 15);
	spend(add(&b, TRAINER, TRAINER), LEDGER_LOCK, 15, 15);
	spend(add(&b, 101, TRAINER), LEDGER_STORAGE_READ, 19, 15);
	add_edge(&b, TRAINER, 101, 15);
	b.processes[0].frameworks = FRAMEWORK_TENSORFLOW;
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_NO_MARKER);
	/* Of any other, they make its input. */
	b.processes[0].frameworks = FRAMEWORK_PYTHON;
	v = judged(&b);
	assert_int_equal(v.class, CLASS_STORAGE);
	assert_int_equal(v.input, INPUT_THREADS);
	/* The loop is in another thread, and the first one waits for each of its steps. */
	begin(&b, 20, 19);
	spend(add(&b, TRAINER, TRAINER), LEDGER_LOCK, 19, 19);
	t = add(&b, 101, TRAINER);
	spend(t, LEDGER_SLEEP, 15, 15);
	spend(t, LEDGER_IPC, 4, 4);
	spend(add(&b, 200, 200), LEDGER_CPU, 10, 10);
	add_edge(&b, TRAINER, 101, 19);
	add_edge(&b, 101, 200, 4);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_SAME_PROCESS);
	/* Most waits end by somebody else. */
	begin(&b, 20, 15);
	spend(add(&b, TRAINER, TRAINER), LEDGER_IPC, 15, 15);
	spend(add(&b, 200, 200), LEDGER_CPU, 19, 15);
	add_edge(&b, TRAINER, 200, 3);
	add_edge(&b, TRAINER, 999, 10);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_UNCLEAR);
	/* Nearly all by a process outside the job. */
	add_edge(&b, TRAINER, 999, 2);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_EXTERNAL);
	/* By a worker that has it all from a process outside the job. */
	begin(&b, 20, 15);
	spend(add(&b, TRAINER, TRAINER), LEDGER_IPC, 15, 15);
	t = add(&b, 200, 200);
	spend(t, LEDGER_IPC, 19.5, 15);
	spend(t, LEDGER_CPU, 0.5, 0);
	add_edge(&b, TRAINER, 200, 15);
	add_edge(&b, 200, 999, 19.5);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_EXTERNAL);
	assert_int_equal(v.producer_count, 1);
	/* Threads that share one interpreter with the trainer. */
	begin(&b, 20, 15);
	t = add(&b, TRAINER, TRAINER);
	spend(t, LEDGER_CPU, 5, 0);
	spend(t, LEDGER_LOCK, 15, 15);
	for (pid_t tid = 101; tid <= 103; tid++) {
		t = add(&b, tid, TRAINER);
		spend(t, LEDGER_CPU, 4.5, 3);
		spend(t, LEDGER_LOCK, 13, 10);
		spend(t, LEDGER_STORAGE_READ, 2, 1.5);
		add_edge_of(&b, EDGE_LOCK, TRAINER, tid, 2);
	}
	v = judged(&b);
	assert_int_equal(v.class, CLASS_LOCK);
	assert_int_equal(v.reason, REASON_SAME_LOCK);
	assert_false(v.share_known);
}

/* 2 s of start-up, in which it waits for somebody else; 12 s of the loop, of which the ends do not count; 3 s after it. */
static void test_steady_part(void **unused)
{
	struct built parts[17];
	struct loop list[17];
	struct verdicts verdicts;
	struct loop_thread *t;

	(void)unused;
	for (int i = 0; i < 17; i++) {
		struct built *b = &parts[i];

		begin(b, 1, 0.8);
		t = add(b, TRAINER, TRAINER);
		spend(t, LEDGER_IPC, 0.8, 0.8);
		if (i < 2)
			spend(t, LEDGER_STORAGE_READ, 0.2, 0);
		if (i >= 2 && i < 14) {
			spend(add(b, 200, 200), LEDGER_CPU, 1, 0.8);
			add_edge(b, TRAINER, 200, 0.8);
		} else {
			add_edge(b, TRAINER, 999, 0.8);
		}
		list[i] = b->loop;
	}
	assert_int_equal(judge_all(&verdicts, list, 17, 0, CPUS), 0);
	assert_int_equal(verdicts.count, 1);
	assert_float_equal(verdicts.list[0].startup_s, 4, 1e-9);
	/* It waited for workers in 3.2 s of these, of which 1.6 computed. */
	assert_int_equal(verdicts.list[0].startup_class, CLASS_CPU);
	assert_int_equal(verdicts.list[0].interval_classes[CLASS_CPU], 9);
	assert_float_equal(verdicts.list[0].steady_s, 9, 1e-9);
	assert_float_equal(verdicts.list[0].input_bound_pct, 80, 1e-6);
	assert_int_equal(verdicts.list[0].class, CLASS_CPU);
	verdicts_free(&verdicts);
	/* Nothing is seen. */
	assert_int_equal(judge_all(&verdicts, list, 0, 0, CPUS), 0);
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
	assert_int_equal(judge(&v, &scratch, &loop, TRAINER, TRAINER, CPUS), 0);
	assert_true(v.producer_count >= MANY - 10);
	free(loop.threads);
	free(loop.edges);
	free(loop.processes);
}

/* Four workers take turns to read: each works a quarter of the time, and waits for the others in the rest. */
static void test_lock(void **unused)
{
	struct built b;
	struct verdict v;

	(void)unused;
	begin(&b, 20, 16);
	spend(add(&b, TRAINER, TRAINER), LEDGER_IPC, 16, 16);
	for (pid_t pid = 200; pid < 204; pid++) {
		struct loop_thread *t = add(&b, pid, pid);

		spend(t, LEDGER_STORAGE_READ, 5, 4);
		spend(t, LEDGER_LOCK, 15, 12);
	}
	for (pid_t pid = 200; pid < 204; pid++) {
		add_edge(&b, TRAINER, pid, 4);
		for (pid_t other = 200; other < 204; other++)
			if (other != pid)
				add_edge_of(&b, EDGE_LOCK, pid, other, 5);
	}
	v = judged(&b);
	assert_int_equal(v.class, CLASS_LOCK);
	assert_float_equal(v.blame_pct[CLASS_LOCK], 75, 1e-6);
	assert_float_equal(v.blame_pct[CLASS_STORAGE], 25, 1e-6);
}

/* One thread reads 12 of 20 s and steps in the rest; no one else does anything. */
static void test_own_reads(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 12);
	b.processes[0].frameworks = FRAMEWORK_PYTHON;
	t = add(&b, TRAINER, TRAINER);
	spend(t, LEDGER_STORAGE_READ, 11, 11);
	spend(t, LEDGER_STORAGE_META, 1, 1);
	spend(t, LEDGER_CPU, 8, 0);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_STORAGE);
	assert_int_equal(v.input, INPUT_OWN);
	assert_float_equal(v.input_bound_pct, 60, 1e-6);
	assert_float_equal(v.blame_pct[CLASS_STORAGE], 100, 1e-6);
	/* It reads little, and what it computes may be for its input or its step. */
	t->all.ns[LEDGER_STORAGE_READ] = ns(0.5);
	t->all.ns[LEDGER_STORAGE_META] = 0;
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_OWN_CPU);
	assert_false(v.share_known);
}

/* A child writes what it is handed, and is always behind: the trainer waits for it, but for no input. */
static void test_a_child_that_takes(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 12);
	t = add(&b, TRAINER, TRAINER);
	spend(t, LEDGER_LOCK, 12, 12);
	spend(t, LEDGER_CPU, 8, 0);
	spend(add(&b, 101, TRAINER), LEDGER_SEND, 19, 11);
	spend(add(&b, 200, 200), LEDGER_CPU, 20, 12);
	add_edge_of(&b, EDGE_LOCK, TRAINER, 200, 12);
	add_edge_of(&b, EDGE_SEND, 101, 200, 19);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_UNKNOWN);
	assert_int_equal(v.reason, REASON_OWN_CPU);
	assert_float_equal(v.waited_s, 0, 1e-6);
	/* And one that makes input, of which there is enough. */
	spend(add(&b, 300, 300), LEDGER_LOCK, 18, 10);
	add_edge_of(&b, EDGE_LOCK, 300, TRAINER, 18);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_NOT_INPUT_BOUND);
}

/* Two generations of a worker that is replaced: together they worked all the time. */
static void test_replaced(void **unused)
{
	struct built b;
	struct verdict v;

	(void)unused;
	begin(&b, 20, 16);
	spend(add(&b, TRAINER, TRAINER), LEDGER_IPC, 16, 16);
	for (pid_t pid = 200; pid < 202; pid++) {
		struct loop_thread *t = add(&b, pid, pid);

		spend(t, LEDGER_STORAGE_READ, 9.8, 7.9);
		t->ended = pid == 200;
	}
	add_edge(&b, TRAINER, 200, 8);
	add_edge(&b, TRAINER, 201, 8);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_STORAGE);
	assert_true(v.blame_pct[CLASS_STORAGE] > 95);
	assert_int_equal(v.workers, 2);
	assert_int_equal(v.replaced, 1);
}

/*
 * TensorFlow: 15 s of waits in the step, which are none of the clock, 6 s inside the marker, which a pool's threads share, one
 * of them for 2 s; and the trainer itself computes for 1 s in there.
 */
static void test_marked(void **unused)
{
	struct built b;
	struct verdict v;
	struct loop_thread *t;

	(void)unused;
	begin(&b, 20, 6);
	b.processes[0].marked = true;
	t = add(&b, TRAINER, TRAINER);
	spend(t, LEDGER_LOCK, 17, 5);
	spend(t, LEDGER_CPU, 3, 1);
	spend(add(&b, 101, TRAINER), LEDGER_STORAGE_READ, 6, 2);
	spend(add(&b, 102, TRAINER), LEDGER_STORAGE_READ, 13, 4);
	spend(add(&b, 103, TRAINER), LEDGER_CPU, 12, 0);
	add_edge_of(&b, EDGE_LOCK, TRAINER, 101, 3)->inside_ns = ns(2);
	add_edge_of(&b, EDGE_LOCK, 101, 102, 3);
	add_edge_of(&b, EDGE_LOCK, TRAINER, 103, 12);
	v = judged(&b);
	assert_int_equal(v.class, CLASS_STORAGE);
	assert_true(v.marked);
	assert_float_equal(v.input_bound_pct, 30, 1e-6);
	assert_float_equal(v.blame_pct[CLASS_STORAGE], 100, 1e-6);
	assert_int_equal(v.producer_count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storage),
		cmocka_unit_test(test_behind_a_feeder),
		cmocka_unit_test(test_not_input_bound),
		cmocka_unit_test(test_in_turns),
		cmocka_unit_test(test_checkpoint),
		cmocka_unit_test(test_no_single_cause),
		cmocka_unit_test(test_own_compute),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_steady_part),
		cmocka_unit_test(test_thousands_of_threads),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_own_reads),
		cmocka_unit_test(test_a_child_that_takes),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_marked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
