// SPDX-License-Identifier: BSD-2-Clause
/* Verdicts of loops without edges: what is presumed of who works for whom, and how sure it is. */
#include "unit.h"

#include "judge/judge.h"
#include "judge/presumed.h"
#include "judge/sampled.h"
#include "loops.h"

enum { LAUNCHER = 50, TRAINER = 100, OTHER_THREAD = 101, SERVER = 150, WORKER = 200, HELPER = 300 };
enum { SECONDS = 14, LOOKS = 20, CPUS = 4 };

static const unsigned int torch = FRAMEWORK_PYTHON | FRAMEWORK_PYTORCH;

/* A second of a job, looked at so often, again and again. */
static void begin(struct built *b)
{
	begin_empty(b, 1);
	b->loop.looks = LOOKS;
}

static struct loop_thread *add_of(struct built *b, pid_t tid, pid_t pid)
{
	struct loop_thread *t = add_thread(b, tid, pid);

	t->stretches = t->ran = 1;
	return t;
}

/* A process and its first thread. */
static struct loop_thread *add(struct built *b, pid_t pid, pid_t ppid)
{
	struct loop_process *p = add_process(b, pid, ppid);

	p->frameworks = torch;
	p->trainer_pid = pid < SERVER ? pid : TRAINER;
	return add_of(b, pid, pid);
}

/* It waits for so long, and computes for the rest. */
static struct loop_thread *add_trainer(struct built *b, unsigned int class, double waits_s)
{
	struct loop_thread *t = add(b, TRAINER, LAUNCHER);

	b->processes[b->loop.process_count - 1].clock_ns = ns(waits_s);
	spend(t, LEDGER_CPU, 1 - waits_s, 0);
	spend(t, class, waits_s, waits_s);
	return t;
}

static struct verdicts judged(struct built *b, pid_t only)
{
	struct loop list[SECONDS];
	struct verdicts verdicts;

	for (int i = 0; i < SECONDS; i++)
		list[i] = b->loop;
	assert_int_equal(judge_all(&verdicts, list, SECONDS, only, CPUS), 0);
	return verdicts;
}

/* The only verdict, on the trainer. */
static struct verdict check(struct built *b, enum verdict_class class)
{
	struct verdicts verdicts = judged(b, 0);
	struct verdict v;

	assert_int_equal(verdicts.count, 1);
	v = verdicts.list[0];
	assert_int_equal(v.pid, TRAINER);
	assert_int_equal(v.class, class);
	assert_true(v.confidence != CONFIDENCE_HIGH);
	v.producers = NULL;
	verdicts_free(&verdicts);
	return v;
}

static void check_unknown(struct built *b, enum verdict_reason reason)
{
	assert_int_equal(check(b, CLASS_UNKNOWN).reason, reason);
}

static void add_reader(struct built *b, pid_t pid, pid_t ppid)
{
	struct loop_thread *t = add(b, pid, ppid);

	spend(t, LEDGER_STORAGE_READ, 0.9, 0.8);
	spend(t, LEDGER_LOCK, 0.1, 0);
}

static void test_starved(void **unused)
{
	struct verdict v;
	struct built b;

	(void)unused;
	begin(&b);
	add_trainer(&b, LEDGER_IPC, 0.8);
	spend(add(&b, SERVER, TRAINER), LEDGER_IPC, 1, 0.8);
	add_reader(&b, WORKER, SERVER);
	add_reader(&b, WORKER + 1, SERVER);
	v = check(&b, CLASS_STORAGE);
	assert_int_equal(v.input, INPUT_PROCESSES);
	assert_int_equal(v.workers, 2);
	assert_float_equal(v.input_bound_pct, 80, 1e-6);
	assert_int_equal(v.confidence, CONFIDENCE_MEDIUM);
	/* All but the ends. */
	assert_int_equal(v.looks, (SECONDS - 3) * LOOKS);
	assert_float_equal(v.uncertainty_pct, 5.3, 0.1);
}

/* The queue is full: who makes its input waits for room in it, or to be asked. */
static void check_fed(unsigned int class, double waits_s)
{
	struct built b;

	begin(&b);
	add_trainer(&b, LEDGER_IPC, waits_s);
	for (int i = 0; i < 2; i++) {
		struct loop_thread *t = add(&b, WORKER + i, TRAINER);

		spend(t, LEDGER_STORAGE_READ, 0.2, 0);
		spend(t, class, 0.8, waits_s);
	}
	assert_int_equal(check(&b, CLASS_NOT_INPUT_BOUND).confidence, CONFIDENCE_MEDIUM);
}

static void test_fed(void **unused)
{
	(void)unused;
	check_fed(LEDGER_LOCK, 0.01);
	check_fed(LEDGER_SEND, 0.01);
	check_fed(LEDGER_IPC, 0.01);
	check_fed(LEDGER_LOCK, 0);
}

/* Children that make nothing: one that only waits, one that goes by the clock, one that writes. */
static void test_helpers(void **unused)
{
	struct built b;
	struct loop_thread *t;

	(void)unused;
	begin(&b);
	add_trainer(&b, LEDGER_LOCK, 0.02);
	spend(add(&b, HELPER, TRAINER), LEDGER_IPC, 1, 0);
	t = add(&b, HELPER + 1, TRAINER);
	spend(t, LEDGER_CPU, 0.1, 0);
	spend(t, LEDGER_SLEEP, 0.9, 0);
	t = add(&b, HELPER + 2, TRAINER);
	spend(t, LEDGER_STORAGE_WRITE, 0.5, 0);
	spend(t, LEDGER_IPC, 0.5, 0);
	t = add(&b, HELPER + 3, TRAINER); /* once, at its start */
	spend(t, LEDGER_CPU, 0.1, 0);
	spend(t, LEDGER_IPC, 0.9, 0);
	t->stretches = 8;
	check_unknown(&b, REASON_OWN_CPU);
}

/* One at a time works, and the others wait for the lock that it has; in a pool they also wait for work, at a pipe. */
static void check_locked(double idle_s, enum verdict_class expected)
{
	struct verdict v;
	struct built b;

	begin(&b);
	add_trainer(&b, LEDGER_IPC, 0.8);
	for (int i = 0; i < 4; i++) {
		struct loop_thread *t = add(&b, WORKER + i, TRAINER);

		spend(t, LEDGER_STORAGE_READ, 0.25, 0.2);
		spend(t, LEDGER_LOCK, 0.75 - idle_s, 0.6 - idle_s);
		spend(t, LEDGER_IPC, idle_s, idle_s);
	}
	v = check(&b, expected);
	assert_int_equal(v.confidence, CONFIDENCE_LOW);
}

static void test_locked(void **unused)
{
	(void)unused;
	check_locked(0, CLASS_LOCK);
	check_locked(0.2, CLASS_STORAGE);
}

/* Its ranks work for themselves; one whose libraries are only its children's trains nothing. */
static void check_launcher(unsigned int class, unsigned int frameworks, double busy)
{
	struct built b;
	struct loop_thread *t;

	begin(&b);
	t = add(&b, LAUNCHER, 0);
	b.processes[0].frameworks = frameworks;
	spend(t, LEDGER_CPU, busy, 0);
	spend(t, class, 1 - busy, 0);
	add_trainer(&b, LEDGER_IPC, 0.8);
	add_reader(&b, WORKER, TRAINER);
	check(&b, CLASS_STORAGE);
	/* A rank that has no workers is none of the launcher's either. */
	b.loop.process_count = b.loop.thread_count = 2;
	check_unknown(&b, REASON_OWN_CPU);
}

static void test_launchers(void **unused)
{
	(void)unused;
	check_launcher(LEDGER_SLEEP, torch, 0.003);
	check_launcher(LEDGER_IPC, torch, 0.001);
	check_launcher(LEDGER_IPC, FRAMEWORK_PYTHON, 0.05);
	check_launcher(LEDGER_IPC, 0, 0.05);
}

/* One that computes itself, and that a rank with a worker of its own was born under. */
static void test_rank(void **unused)
{
	struct verdicts verdicts;
	struct loop_thread *t;
	struct built b;

	(void)unused;
	begin(&b);
	t = add(&b, LAUNCHER, 0);
	spend(t, LEDGER_CPU, 0.4, 0);
	spend(t, LEDGER_IPC, 0.6, 0);
	add_trainer(&b, LEDGER_IPC, 0.8);
	add_reader(&b, WORKER, TRAINER);
	verdicts = judged(&b, 0);
	assert_int_equal(verdicts.count, 1);
	assert_int_equal(verdicts.list[0].pid, TRAINER);
	assert_int_equal(verdicts.list[0].class, CLASS_STORAGE);
	verdicts_free(&verdicts);
}

/* One that has started before it only waits for its end, whatever it did then. */
static void test_start_is_no_loop(void **unused)
{
	struct built b;
	struct loop_thread *t;

	(void)unused;
	begin(&b);
	t = add(&b, LAUNCHER, 0);
	spend(t, LEDGER_CPU, 0.2, 0);
	spend(t, LEDGER_IPC, 0.8, 0);
	t->stretches = 10;
	t->ran = 2;
	add_trainer(&b, LEDGER_IPC, 0.01);
	check_unknown(&b, REASON_OWN_CPU);
}

static struct loop_thread *add_own(struct built *b, unsigned int class, double all_s,
				   double waiting_s)
{
	struct loop_thread *t = add_of(b, OTHER_THREAD, TRAINER);

	spend(t, class, all_s, waiting_s);
	return t;
}

/* Modules are read at the start; a loop that reads itself goes on. */
static void check_own_reads(int stretches_that_read, enum verdict_class class)
{
	struct loop list[SECONDS];
	struct verdicts verdicts;
	struct built reads, computes;

	begin(&reads);
	begin(&computes);
	add_trainer(&reads, LEDGER_STORAGE_READ, 0.8);
	add_trainer(&computes, LEDGER_SLEEP, 0.2);
	for (int i = 0; i < SECONDS; i++)
		list[i] = i < stretches_that_read ? reads.loop : computes.loop;
	assert_int_equal(judge_all(&verdicts, list, SECONDS, 0, CPUS), 0);
	assert_int_equal(verdicts.count, 1);
	assert_int_equal(verdicts.list[0].class, class);
	verdicts_free(&verdicts);
}

static void test_own_reads(void **unused)
{
	(void)unused;
	check_own_reads(SECONDS, CLASS_STORAGE);
	check_own_reads(4, CLASS_UNKNOWN);
}

static void test_threads_that_read(void **unused)
{
	struct verdict v;
	struct built b;

	(void)unused;
	begin(&b);
	add_trainer(&b, LEDGER_LOCK, 0.6);
	spend(add_own(&b, LEDGER_STORAGE_READ, 0.8, 0.6), LEDGER_LOCK, 0.2, 0);
	v = check(&b, CLASS_STORAGE);
	assert_int_equal(v.input, INPUT_THREADS);
	assert_float_equal(v.input_bound_pct, 60, 1e-6);
}

/* They may make input as well as take part in the step. */
static void test_threads_that_compute(void **unused)
{
	struct built b;

	(void)unused;
	begin(&b);
	add_trainer(&b, LEDGER_LOCK, 0.6);
	spend(add_own(&b, LEDGER_CPU, 0.7, 0.6), LEDGER_LOCK, 0.3, 0);
	check_unknown(&b, REASON_NOT_SEEN);
	begin(&b);
	add_trainer(&b, LEDGER_LOCK, 0.6);
	add_own(&b, LEDGER_NETWORK, 1, 0.6);
	check_unknown(&b, REASON_NOT_SEEN);
}

/* What computes when the trainer does is of its step: the waits for it are not for input. */
static void test_threads_of_the_step(void **unused)
{
	struct loop_thread *t;
	struct built b;

	(void)unused;
	begin(&b);
	add_trainer(&b, LEDGER_LOCK, 0.3);
	spend(add_own(&b, LEDGER_CPU, 0.7, 0.1), LEDGER_LOCK, 0.3, 0.2);
	t = add(&b, WORKER, TRAINER);
	spend(t, LEDGER_CPU, 0.1, 0.001);
	spend(t, LEDGER_IPC, 0.9, 0.299);
	assert_true(check(&b, CLASS_NOT_INPUT_BOUND).input_bound_pct < 1);
}

/* Workers are busy ahead while the trainer waits for its step: what they make comes through a pipe, and it waits at none. */
static void check_ahead(double at_pipes_s, enum verdict_class class)
{
	struct loop_thread *t;
	struct built b;

	begin(&b);
	add_trainer(&b, LEDGER_LOCK, 0.4);
	spend(add_own(&b, LEDGER_CPU, 0.7, 0.1), LEDGER_LOCK, 0.3, 0.3);
	spend(add_of(&b, OTHER_THREAD + 1, TRAINER), LEDGER_IPC, 1, at_pipes_s);
	t = add(&b, WORKER, TRAINER);
	spend(t, LEDGER_CPU, 0.9, 0.4);
	spend(t, LEDGER_LOCK, 0.1, 0);
	check(&b, class);
}

static void test_ahead(void **unused)
{
	(void)unused;
	check_ahead(0, CLASS_NOT_INPUT_BOUND);
	check_ahead(0.4, CLASS_CPU);
}

/* Where other processes make the input a thread that computes while the trainer waits is its step, unless things come to it. */
static void check_beside_workers(double at_pipes_s, enum verdict_class class)
{
	struct loop_thread *t;
	struct built b;

	begin(&b);
	add_trainer(&b, LEDGER_LOCK, 0.5);
	t = add_own(&b, LEDGER_CPU, 0.5, 0.5);
	spend(t, LEDGER_IPC, at_pipes_s, 0);
	spend(t, LEDGER_LOCK, 0.5 - at_pipes_s, 0);
	t = add(&b, WORKER, TRAINER);
	spend(t, LEDGER_CPU, 0.1, 0.05);
	spend(t, LEDGER_LOCK, 0.9, 0.45);
	check(&b, class);
}

static void test_beside_workers(void **unused)
{
	(void)unused;
	check_beside_workers(0, CLASS_NOT_INPUT_BOUND);
	check_beside_workers(0.4, CLASS_UNKNOWN);
}

static void test_loop_in_another_thread(void **unused)
{
	struct loop_thread *t;
	struct verdict v;
	struct built b;

	(void)unused;
	begin(&b);
	t = add(&b, TRAINER, LAUNCHER);
	spend(t, LEDGER_CPU, 0.1, 0);
	spend(t, LEDGER_LOCK, 0.9, 0);
	t->stretches = 3;
	b.processes[0].clock_ns = ns(0.8);
	b.processes[0].clock_tid = OTHER_THREAD;
	spend(add_own(&b, LEDGER_CPU, 0.2, 0), LEDGER_IPC, 0.8, 0.8);
	add_reader(&b, WORKER, TRAINER);
	v = check(&b, CLASS_STORAGE);
	assert_int_equal(v.tid, OTHER_THREAD);
	/* The clock has followed the wrong thread. */
	b.processes[0].clock_tid = TRAINER;
	check_unknown(&b, REASON_SHORT);
}

/* A pool of TensorFlow may make input and steps; one of its threads that reads all the time is never full. */
static void test_tensorflow(void **unused)
{
	struct built b;

	(void)unused;
	begin(&b);
	add_trainer(&b, LEDGER_LOCK, 0.7);
	b.processes[0].frameworks = FRAMEWORK_TENSORFLOW;
	spend(add_own(&b, LEDGER_STORAGE_READ, 0.97, 0.7), LEDGER_LOCK, 0.03, 0);
	check(&b, CLASS_STORAGE);
	b.threads[1].all.ns[LEDGER_STORAGE_READ] = ns(0.8);
	b.threads[1].all.ns[LEDGER_LOCK] = ns(0.2);
	check_unknown(&b, REASON_NOT_SEEN);
}

/* Three threads that keep one processor busy share an interpreter's lock; two may take turns, and a pool's have work of theirs. */
static void check_interpreter_lock(int threads, unsigned int frameworks,
				   enum verdict_class expected)
{
	struct built b;

	begin(&b);
	add_trainer(&b, LEDGER_LOCK, 0.7);
	b.processes[0].frameworks = frameworks;
	for (int i = 0; i < threads; i++) {
		struct loop_thread *t = add_of(&b, OTHER_THREAD + i, TRAINER);

		spend(t, LEDGER_CPU, 0.7 / threads, 0.7 / threads);
		spend(t, LEDGER_LOCK, 1 - 0.7 / threads, 0);
	}
	assert_int_equal(check(&b, expected).confidence, CONFIDENCE_LOW);
}

static void test_interpreter_lock(void **unused)
{
	(void)unused;
	check_interpreter_lock(2, torch, CLASS_LOCK);
	check_interpreter_lock(1, torch, CLASS_UNKNOWN);
	check_interpreter_lock(2, FRAMEWORK_TENSORFLOW, CLASS_UNKNOWN);
}

/* Nobody has to guess who the trainer is where the user says it. */
static void test_named_trainer(void **unused)
{
	struct verdicts verdicts;
	struct built b;

	(void)unused;
	begin(&b);
	add_trainer(&b, LEDGER_IPC, 0.8);
	add_reader(&b, WORKER, TRAINER);
	b.processes[0].frameworks = b.processes[1].frameworks = 0;
	verdicts = judged(&b, 0);
	assert_int_equal(verdicts.count, 0);
	verdicts_free(&verdicts);
	verdicts = judged(&b, TRAINER);
	assert_int_equal(verdicts.count, 1);
	assert_int_equal(verdicts.list[0].class, CLASS_STORAGE);
	verdicts_free(&verdicts);
}

/* What BPF counted is as it is: no looks, nothing presumed. */
static void test_counted(void **unused)
{
	struct verdicts verdicts;
	struct scratch scratch = { 0 };
	struct presumed *presumed;
	struct loop view;
	struct built b;

	(void)unused;
	begin(&b);
	b.loop.looks = 0;
	add_trainer(&b, LEDGER_IPC, 0.8);
	add_reader(&b, WORKER, TRAINER);
	assert_int_equal(presumed_find(&presumed, &scratch, &b.loop, 0), 0);
	assert_int_equal(presumed_view(&view, &b.loop, presumed), 0);
	assert_ptr_equal(view.edges, b.loop.edges);
	assert_int_equal(view.edge_count, 0);
	add_edge(&b, TRAINER, WORKER, 0.8);
	verdicts = judged(&b, 0);
	assert_int_equal(verdicts.count, 1);
	assert_int_equal(verdicts.list[0].class, CLASS_STORAGE);
	assert_int_equal(verdicts.list[0].confidence, CONFIDENCE_HIGH);
	assert_int_equal(verdicts.list[0].looks, 0);
	verdicts_free(&verdicts);
	scratch_free(&scratch);
}

static struct verdict rated(double input_bound_pct, double storage_pct, uint64_t looks)
{
	struct verdict v = { .class = CLASS_STORAGE,
			     .confidence = CONFIDENCE_HIGH,
			     .share_known = true,
			     .input_bound_pct = input_bound_pct };
	struct shares_seen none = { 0 };

	v.blame_pct[CLASS_STORAGE] = storage_pct;
	v.blame_pct[CLASS_CPU] = 100 - storage_pct;
	sampled_rate(&v, &none, looks);
	return v;
}

static void test_error_of_sampling(void **unused)
{
	struct shares_seen seen = { 0 };
	struct verdict v;

	(void)unused;
	assert_float_equal(rated(50, 95, 400).uncertainty_pct, 4.9, 0.1);
	assert_true(rated(0, 95, 400).uncertainty_pct > 0.3);
	assert_int_equal(rated(50, 95, 0).confidence, CONFIDENCE_HIGH);
	assert_int_equal(rated(50, 95, 400).confidence, CONFIDENCE_MEDIUM);
	/* It may be less than 5 % as well, or less than 60 % of the blame. */
	assert_int_equal(rated(6, 95, 400).confidence, CONFIDENCE_LOW);
	assert_int_equal(rated(6, 95, 40000).confidence, CONFIDENCE_MEDIUM);
	assert_int_equal(rated(50, 64, 400).confidence, CONFIDENCE_LOW);
	v = rated(50, 95, 400);
	for (int i = 0; i < 4; i++)
		sampled_add(&seen, i % 2 ? 70 : 30);
	v.confidence = CONFIDENCE_HIGH;
	sampled_rate(&v, &seen, 400);
	assert_float_equal(v.uncertainty_pct, 22.6, 0.1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starved),
		cmocka_unit_test(test_fed),
		cmocka_unit_test(test_helpers),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_launchers),
		cmocka_unit_test(test_rank),
		cmocka_unit_test(test_own_reads),
		cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_beside_workers),
		cmocka_unit_test(test_start_is_no_loop),
		cmocka_unit_test(test_threads_that_read),
		cmocka_unit_test(test_threads_that_compute),
		cmocka_unit_test(test_threads_of_the_step),
		cmocka_unit_test(test_loop_in_another_thread),
		cmocka_unit_test(test_tensorflow),
		cmocka_unit_test(test_interpreter_lock),
		cmocka_unit_test(test_named_trainer),
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_error_of_sampling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
