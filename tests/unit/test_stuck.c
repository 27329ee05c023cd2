// SPDX-License-Identifier: BSD-2-Clause
/* Who waits for whom, on jobs that were made by hand. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "judge/judge.h"
#include "judge/stuck.h"
#include "model/silence.h"

enum { TRAINER = 100, WORKER = 200, OTHER = 300, PIPE = 7, PIPE_BACK = 8 };

static const uint64_t least_ns = 10ULL * NS_PER_S;
static struct stucks found;

static struct wait_thread *add(struct waits *w, pid_t pid, pid_t tid, enum wait_kind kind,
			       unsigned int ends)
{
	struct wait_thread *t = waits_add(w);

	assert_non_null(t);
	*t = (struct wait_thread){ .pid = pid,
				   .tid = tid,
				   .ppid = pid == TRAINER ? 1 : TRAINER,
				   .asleep_ns = 2 * least_ns,
				   .known = true,
				   .state = 'S',
				   .kind = kind,
				   .ends = ends };
	return t;
}

static struct wait_thread *add_reader(struct waits *w, pid_t pid, uint64_t inode)
{
	struct wait_thread *t = add(w, pid, pid, WAIT_PIPE, ENDS_HOLDERS);

	t->inodes[t->inode_count++] = (struct wait_inode){ .inode = inode, .modes = HOLDS_WRITER };
	return t;
}

/* To be called in the order of inodes. */
static void hold(struct waits *w, uint64_t inode, pid_t pid, uint32_t modes)
{
	w->holders[w->holder_count++] =
		(struct wait_holder){ .inode = inode, .pid = pid, .modes = modes };
}

static size_t find(struct waits *w)
{
	w->complete = true;
	assert_int_equal(stuck_find(&found, w, NULL, 0, least_ns), 0);
	waits_free(w);
	return found.count;
}

/* A trainer reads from a pipe that its worker writes to. */
static struct waits *pair(void)
{
	struct waits *w = waits_new();

	assert_non_null(w);
	add_reader(w, TRAINER, PIPE);
	hold(w, PIPE, TRAINER, HOLDS_READER | HOLDS_WRITER);
	hold(w, PIPE, WORKER, HOLDS_READER | HOLDS_WRITER);
	return w;
}

static void test_stopped(void **state)
{
	struct waits *w = pair();

	(void)state;
	add(w, WORKER, WORKER, WAIT_UNKNOWN, ENDS_JOB)->state = 'T';
	assert_int_equal(find(w), 1);
	assert_int_equal(found.list[0].pid, TRAINER);
	assert_int_equal(found.list[0].end, END_STOPPED);
	assert_int_equal(found.list[0].end_thread, 1);
	assert_int_equal(found.list[0].way, 2);
	assert_int_equal(found.list[0].waits[0].waits_for_tid, WORKER);
	assert_int_equal(found.list[0].waits[1].waits_for_tid, 0);
}

/* One that sleeps for a time, or waits for the world outside, may write yet; that it did nothing twice is no proof. */
static void test_alive(void **state)
{
	struct waits *w = pair();

	(void)state;
	add(w, WORKER, WORKER, WAIT_TIMER, ENDS_TIME);
	assert_int_equal(find(w), 0);
	w = pair();
	add(w, WORKER, WORKER, WAIT_OUTSIDE, ENDS_OUTSIDE);
	assert_int_equal(find(w), 0);
	w = pair();
	add(w, WORKER, WORKER, WAIT_TIMER, ENDS_TIME)->idle_timer = true;
	assert_int_equal(find(w), 0);
	w = pair();
	add(w, WORKER, WORKER, WAIT_FUTEX, ENDS_OWN | ENDS_LIMIT);
	assert_int_equal(find(w), 0);
	w = pair();
	add(w, WORKER, WORKER, WAIT_RUNNING, ENDS_TIME)->idle_timer = true;
	assert_int_equal(find(w), 0);
}

/* A holder that is not of the job. */
static void test_outside(void **state)
{
	struct waits *w = pair();

	(void)state;
	add(w, WORKER, WORKER, WAIT_FUTEX, ENDS_OWN);
	hold(w, PIPE, OTHER, HOLDS_WRITER);
	assert_int_equal(find(w), 0);
	w = pair();
	add(w, WORKER, WORKER, WAIT_FUTEX, ENDS_OWN);
	hold(w, PIPE, OTHER, HOLDS_READER);
	assert_int_equal(find(w), 1);
}

/* Whoever may connect to a UNIX socket: anybody, but for one of a child. */
static void test_listeners(void **state)
{
	struct waits *w = pair();

	(void)state;
	add(w, WORKER, WORKER, WAIT_FUTEX, ENDS_OWN);
	add(w, WORKER, WORKER + 1, WAIT_SOCKET, ENDS_CALLER);
	assert_int_equal(find(w), 1);
	assert_int_equal(found.list[0].end, END_NOBODY);
	w = waits_new();
	add(w, TRAINER, TRAINER, WAIT_FUTEX, ENDS_OWN);
	add(w, TRAINER, TRAINER + 1, WAIT_SOCKET, ENDS_CALLER);
	assert_int_equal(find(w), 0);
}

/* A server's thread beside it does not hide what is certain. */
static void test_outside_and_stopped(void **state)
{
	struct waits *w = pair();

	(void)state;
	add(w, WORKER, WORKER, WAIT_UNKNOWN, ENDS_JOB)->state = 'T';
	add(w, WORKER, WORKER + 1, WAIT_OUTSIDE, ENDS_OUTSIDE);
	assert_int_equal(find(w), 1);
	assert_int_equal(found.list[0].end, END_STOPPED);
}

static void test_life_is_passed_on(void **state)
{
	struct waits *w = pair();

	(void)state;
	add_reader(w, WORKER, PIPE_BACK);
	hold(w, PIPE_BACK, TRAINER, HOLDS_READER);
	hold(w, PIPE_BACK, OTHER, HOLDS_WRITER);
	add(w, OTHER, OTHER, WAIT_TIMER, ENDS_TIME);
	assert_int_equal(find(w), 0);
}

static void test_file(void **state)
{
	struct waits *w = pair();

	(void)state;
	add(w, WORKER, WORKER, WAIT_FILE, 0);
	assert_int_equal(find(w), 1);
	assert_int_equal(found.list[0].end, END_FILE);
	w = pair();
	add(w, WORKER, WORKER, WAIT_FILE, 0)->asleep_ns = least_ns - 1;
	assert_int_equal(find(w), 0);
	/* Its disk works. */
	w = pair();
	add(w, WORKER, WORKER, WAIT_FILE, 0)->storage_moves = true;
	assert_int_equal(find(w), 0);
	/* Writing takes longer. */
	w = pair();
	add(w, WORKER, WORKER, WAIT_FILE, 0)->class = LEDGER_FSYNC;
	assert_int_equal(find(w), 0);
	w = pair();
	add(w, WORKER, WORKER, WAIT_FILE, 0)->class = LEDGER_FSYNC;
	w->threads[1].asleep_ns = 3 * least_ns;
	assert_int_equal(find(w), 1);
}

static void test_gone(void **state)
{
	struct waits *w = pair();

	(void)state;
	w->gone[w->gone_count++] =
		(struct wait_gone){ .pid = WORKER, .ppid = TRAINER, .signal = 9 };
	w->holder_count = 1;
	assert_int_equal(find(w), 1);
	assert_int_equal(found.list[0].end, END_GONE);
	/* One that ended well explains nothing, but still nobody else has the other end. */
	w = pair();
	w->gone[w->gone_count++] = (struct wait_gone){ .pid = WORKER, .ppid = TRAINER };
	w->holder_count = 1;
	assert_int_equal(find(w), 1);
	assert_int_equal(found.list[0].end, END_NOBODY);
}

static void lock(struct waits *w, pid_t tid, pid_t owner)
{
	add(w, TRAINER, tid, WAIT_MUTEX, ENDS_THREAD)->waker = owner;
}

static void test_cycle(void **state)
{
	struct waits *w = waits_new();

	(void)state;
	lock(w, TRAINER, 101);
	lock(w, 101, 102);
	lock(w, 102, 103);
	lock(w, 103, 101);
	assert_int_equal(find(w), 1);
	assert_int_equal(found.list[0].end, END_CYCLE);
	assert_int_equal(found.list[0].cycle, 3);
	assert_int_equal(found.list[0].way, 2);
	assert_int_equal(found.list[0].cycle_first, 1);
	assert_int_equal(found.list[0].wait_count, 4);
	assert_int_equal(found.list[0].waits[3].waits_for_tid, 101);
	/* The owner goes on by itself. */
	w = waits_new();
	lock(w, TRAINER, 101);
	add(w, TRAINER, 101, WAIT_TIMER, ENDS_TIME);
	assert_int_equal(find(w), 0);
	/* It waits for itself. */
	w = waits_new();
	lock(w, TRAINER, TRAINER);
	assert_int_equal(find(w), 1);
	assert_int_equal(found.list[0].end, END_CYCLE);
	assert_int_equal(found.list[0].cycle, 1);
}

static void test_owner_gone(void **state)
{
	struct waits *w = waits_new();

	(void)state;
	lock(w, TRAINER, 101);
	w->threads[0].waker_gone = true;
	assert_int_equal(find(w), 1);
	assert_int_equal(found.list[0].end, END_OWNER_GONE);
}

/* A lone thread that waits for a signal, say, in a futex: nothing speaks for a job that hangs. */
static void test_alone(void **state)
{
	struct waits *w = waits_new();

	(void)state;
	add(w, TRAINER, TRAINER, WAIT_FUTEX, ENDS_OWN);
	assert_int_equal(find(w), 0);
}

/* The shell that started it waits too, but is not what hangs. */
static void test_launcher(void **state)
{
	struct waits *w = waits_new();
	struct wait_thread *t;

	(void)state;
	add(w, OTHER, OTHER, WAIT_CHILD, ENDS_CHILDREN)->ppid = 1;
	t = add_reader(w, TRAINER, PIPE);
	t->ppid = OTHER;
	hold(w, PIPE, TRAINER, HOLDS_READER);
	hold(w, PIPE, WORKER, HOLDS_WRITER);
	add(w, WORKER, WORKER, WAIT_UNKNOWN, ENDS_JOB)->state = 'T';
	assert_int_equal(find(w), 1);
	assert_int_equal(found.list[0].pid, TRAINER);
}

/* What was not read to its end proves nothing but what was seen. */
static void test_incomplete(void **state)
{
	struct waits *w = pair();

	(void)state;
	add(w, WORKER, WORKER, WAIT_FUTEX, ENDS_OWN);
	assert_int_equal(stuck_find(&found, w, NULL, 0, least_ns), 0);
	assert_int_equal(found.count, 0);
	assert_int_equal(find(w), 1);
}

/* Processes that seem to descend from one another, as PIDs that were reused may. */
static void test_circle_of_parents(void **state)
{
	struct waits *w = pair();

	(void)state;
	w->threads[0].ppid = WORKER;
	add(w, WORKER, WORKER, WAIT_FUTEX, ENDS_OWN);
	find(w);
}

static void test_verdict(void **state)
{
	struct waits *w = pair();
	struct verdicts verdicts = { .list = calloc(2, sizeof(struct verdict)), .count = 2 };
	struct stuck_finding finding = { 0 };

	(void)state;
	verdicts.list[0] = (struct verdict){ .pid = WORKER, .class = CLASS_UNKNOWN };
	verdicts.list[1] = (struct verdict){ .pid = OTHER, .class = CLASS_CPU };
	add(w, WORKER, WORKER, WAIT_UNKNOWN, ENDS_JOB)->state = 't';
	assert_int_equal(find(w), 1);
	finding.stucks = found;
	assert_int_equal(judge_stuck(&verdicts, &finding), 0);
	assert_int_equal(verdicts.count, 2);
	assert_int_equal(verdicts.list[0].pid, TRAINER);
	assert_int_equal(verdicts.list[0].class, CLASS_STUCK);
	assert_int_equal(verdicts.list[0].confidence, CONFIDENCE_HIGH);
	assert_int_equal(verdicts.list[1].class, CLASS_CPU);
	verdicts_free(&verdicts);
}

static void test_mutex_words(void **state)
{
	const struct {
		uint32_t words[MUTEX_WORDS];
		pid_t owner;
	} cases[] = {
		{ { 2, 0, 4711, 1, 0 }, 4711 },    { { 2, 1, 4711, 1, 1 }, 4711 }, /* recursive */
		{ { 2, 0, 4711, 1, 0x80 }, 4711 }, /* of several processes */
		{ { 1, 0, 4711, 1, 0 }, 0 },       /* nobody waits */
		{ { 2, 0, 0, 1, 0 }, 0 },          /* no owner */
		{ { 2, 0, 4711, 0, 0 }, 0 },       /* no users */
		{ { 2, 0, 4711, 1, 0x10000 }, 0 }, /* no kind of mutex */
		{ { 2, 0, 0x80001234, 1, 0 }, 0 }, /* no thread ID */
		{ { 2, 0, 4711, 0x7f12, 0 }, 0 },  /* half of an address */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(waits_mutex_owner(cases[i].words), cases[i].owner);
}

/* Samples a second apart, of two threads. */
struct run {
	struct silence silence;
	struct sample samples[2];
	struct thread threads[2][2];
	struct loop tick;
	int now;
};

static void begin(struct run *r)
{
	memset(r, 0, sizeof(*r));
	for (int i = 0; i < 2; i++) {
		r->samples[i].threads = r->threads[i];
		r->samples[i].thread_count = 2;
	}
	r->samples[0].threads_ns = NS_PER_S;
	for (int i = 0; i < 2; i++)
		r->threads[0][i] = (struct thread){ .life = THREAD_ALIVE,
						    .start_ns = 1,
						    .tid = (uint32_t)(1 + i),
						    .word = 1 << LEDGER_SHIFT | LEDGER_IPC };
}

static struct thread *next(struct run *r)
{
	int last = r->now;

	r->now = !last;
	memcpy(r->threads[r->now], r->threads[last], sizeof(r->threads[0]));
	r->samples[r->now].threads_ns = r->samples[last].threads_ns + NS_PER_S;
	return r->threads[r->now];
}

static uint64_t silent_s(struct run *r)
{
	assert_int_equal(
		silence_add(&r->silence, &r->samples[!r->now], &r->samples[r->now], &r->tick), 0);
	return silence_ns(&r->silence) / NS_PER_S;
}

static void put(struct run *r, struct thread *t, enum ledger_state state)
{
	t->word = r->samples[r->now].threads_ns << LEDGER_SHIFT | state;
}

static void test_silence(void **state)
{
	struct run r;
	struct thread *t;

	(void)state;
	begin(&r);
	next(&r);
	assert_int_equal(silent_s(&r), 1);
	/* It looks around. */
	t = next(&r);
	t[0].ns[LEDGER_CPU] += 2 * NS_PER_MS;
	put(&r, &t[0], LEDGER_IPC);
	assert_int_equal(silent_s(&r), 2);
	/* It works. */
	t = next(&r);
	t[0].ns[LEDGER_CPU] += 100 * NS_PER_MS;
	assert_int_equal(silent_s(&r), 0);
	next(&r);
	assert_int_equal(silent_s(&r), 1);
	/* It waits long for a processor. */
	t = next(&r);
	t[1].ns[LEDGER_RUNQUEUE] += NS_PER_S;
	assert_int_equal(silent_s(&r), 0);
	silence_free(&r.silence);
}

/* A read that goes on is silent, one that comes back is not, though it took no processor. */
static void test_reads_come_back(void **state)
{
	struct run r;
	struct thread *t;

	(void)state;
	begin(&r);
	t = next(&r);
	put(&r, &t[0], LEDGER_STORAGE_READ);
	assert_int_equal(silent_s(&r), 1);
	for (int i = 2; i < 5; i++) {
		t = next(&r);
		t[0].ns[LEDGER_STORAGE_READ] += NS_PER_S;
		assert_int_equal(silent_s(&r), i);
	}
	t = next(&r);
	t[0].ns[LEDGER_STORAGE_READ] += NS_PER_S;
	put(&r, &t[0], LEDGER_IPC);
	assert_int_equal(silent_s(&r), 0);
	silence_free(&r.silence);
}

static void test_timers(void **state)
{
	struct edge_report edge = { .wakee_tid = 1, .waker_tid = 2, .waits = 1 };
	struct run r;

	(void)state;
	begin(&r);
	for (int i = 0; i < 4; i++) {
		struct thread *t = next(&r);

		put(&r, &t[1], LEDGER_SLEEP);
		silent_s(&r);
	}
	assert_false(silence_is_idle_timer(&r.silence, 0));
	assert_true(silence_is_idle_timer(&r.silence, 1));
	assert_false(silence_is_idle_timer(&r.silence, 2));
	/* It has handed something over: it is alive. */
	r.tick.edges = &edge;
	r.tick.edge_count = 1;
	next(&r);
	assert_int_equal(silent_s(&r), 5);
	assert_false(silence_is_idle_timer(&r.silence, 1));
	silence_free(&r.silence);
}

static void test_asleep_before(void **state)
{
	struct run r;
	struct thread *t;

	(void)state;
	begin(&r);
	t = r.threads[0];
	t[0].met_asleep_ns = t[0].word >> LEDGER_SHIFT;
	t[0].slept_before_ns = 60ULL * NS_PER_S;
	t = next(&r);
	put(&r, &t[1], LEDGER_IPC);
	silent_s(&r);
	assert_int_equal(silence_asleep_ns(&r.silence, &r.samples[r.now], &t[0]) / NS_PER_S, 61);
	assert_int_equal(silence_asleep_ns(&r.silence, &r.samples[r.now], &t[1]) / NS_PER_S, 1);
	silence_free(&r.silence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_alive),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_outside_and_stopped),
		cmocka_unit_test(test_life_is_passed_on),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_cycle),
		cmocka_unit_test(test_owner_gone),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_launcher),
		cmocka_unit_test(test_incomplete),
		cmocka_unit_test(test_circle_of_parents),
		cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_mutex_words),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_reads_come_back),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_asleep_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
