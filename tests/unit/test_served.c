// SPDX-License-Identifier: BSD-2-Clause
/* Who serves a trainer from outside, on cases that were worked out by hand. */
#include "unit.h"

#include <string.h>

#include "judge/served.h"
#include "loops.h"

enum { TRAINER = 100, WORKER = 200, OTHER_WORKER = 300, SERVER = 900, STRANGER = 950 };

/* A trainer whose clock ran for 10 s, in which worker 200 waited 8 s for files, of 16 s in all. */
static void begin(struct built *b)
{
	begin_empty(b, 20);
	add_process(b, TRAINER, 0)->clock_ns = ns(10);
	add_process(b, WORKER, TRAINER);
	add_process(b, OTHER_WORKER, TRAINER);
	spend(add_thread(b, TRAINER, TRAINER), LEDGER_IPC, 10, 10);
	spend(add_thread(b, WORKER, WORKER), LEDGER_STORAGE_READ, 16, 8);
	spend(add_thread(b, OTHER_WORKER, OTHER_WORKER), LEDGER_NETWORK, 10, 5);
}

/* Threads of a process outside the job end waits of a worker. */
static struct edge_report *serve(struct built *b, pid_t wakee, pid_t tid, pid_t process,
				 double seconds)
{
	struct edge_report *edge = add_edge_of(b, EDGE_STORAGE, wakee, tid, seconds);

	edge->waker_pid = 0;
	edge->waker_process = process;
	return edge;
}

static struct role roles_list[] = {
	{ .pid = TRAINER, .trainer_pid = TRAINER, .tid = TRAINER },
	{ .pid = WORKER, .trainer_pid = TRAINER, .tid = WORKER },
	{ .pid = OTHER_WORKER, .trainer_pid = TRAINER, .tid = OTHER_WORKER },
};
static const struct roles roles = { .list = roles_list, .count = 3 };

static size_t choose(struct served_choice *list, const struct built *b,
		     const struct peer_report *peers, size_t peer_count)
{
	return served_choose(list, &b->loop, &roles, peers, peer_count);
}

static void test_choose(void **unused)
{
	struct served_choice list[MAX_SERVERS];
	struct built b;

	(void)unused;
	begin(&b);
	/* Half of it on the clock: 0.6 s of 10 s, by two threads. */
	serve(&b, WORKER, SERVER + 1, SERVER, 0.5);
	serve(&b, WORKER, SERVER + 2, SERVER, 0.7);
	/* 0.4 s. */
	serve(&b, WORKER, STRANGER, STRANGER, 0.8);
	assert_int_equal(choose(list, &b, NULL, 0), 1);
	assert_int_equal(list[0].pid, SERVER);
	assert_int_equal(list[0].trainer, TRAINER);
}

static void test_choose_peers(void **unused)
{
	const struct peer_report peers[] = {
		{ .tid = WORKER,
		  .pid = WORKER,
		  .kind = EDGE_NETWORK,
		  .server = STRANGER,
		  .ns = ns(9) },
		{ .tid = OTHER_WORKER,
		  .pid = OTHER_WORKER,
		  .kind = EDGE_NETWORK,
		  .server = SERVER,
		  .ns = ns(8) },
	};
	struct served_choice list[MAX_SERVERS];
	struct built b;

	(void)unused;
	begin(&b);
	/* The first one's thread was never seen to wait for the network. */
	assert_int_equal(choose(list, &b, peers, 2), 1);
	assert_int_equal(list[0].pid, SERVER);
}

/* One thread may wait for a socket and for a disk; of different servers. */
static void test_choose_disk_peers(void **unused)
{
	const struct peer_report peers[] = {
		{ .tid = WORKER,
		  .pid = WORKER,
		  .kind = EDGE_STORAGE,
		  .server = SERVER,
		  .ns = ns(8) },
		{ .tid = OTHER_WORKER,
		  .pid = OTHER_WORKER,
		  .kind = EDGE_NETWORK,
		  .server = STRANGER,
		  .ns = ns(4) },
		{ .tid = OTHER_WORKER,
		  .pid = OTHER_WORKER,
		  .kind = EDGE_STORAGE,
		  .server = STRANGER + 1,
		  .ns = ns(4) },
	};
	struct served_choice list[MAX_SERVERS];
	struct built b;

	(void)unused;
	begin(&b);
	/* Half of 8 s and half of 4 s were on the clock; the last one waited for no storage. */
	assert_int_equal(choose(list, &b, peers, 3), 2);
	assert_int_equal(list[0].pid, SERVER);
	assert_int_equal(list[1].pid, STRANGER);
}

/* Not one that wakes it a few times, not init, not the kernel, not one of the job. */
static void test_choose_none(void **unused)
{
	struct served_choice list[MAX_SERVERS];
	struct built b;

	(void)unused;
	begin(&b);
	serve(&b, WORKER, SERVER, SERVER, 8)->waits = 9;
	serve(&b, WORKER, 1, 1, 4);
	serve(&b, WORKER, 0, 0, 4);
	serve(&b, WORKER, OTHER_WORKER, OTHER_WORKER, 4)->waker_pid = OTHER_WORKER;
	assert_int_equal(choose(list, &b, NULL, 0), 0);
	b.edges[0].waits = 10;
	assert_int_equal(choose(list, &b, NULL, 0), 1);
}

static void test_choose_the_largest(void **unused)
{
	struct served_choice list[MAX_SERVERS];
	struct built b;

	(void)unused;
	begin(&b);
	for (int i = 0; i < MAX_SERVERS + 2; i++)
		serve(&b, WORKER, SERVER + i, SERVER + i, 1.1 + i / 10.0);
	assert_int_equal(choose(list, &b, NULL, 0), MAX_SERVERS);
	assert_int_equal(list[0].pid, SERVER + MAX_SERVERS + 1);
}

/* Two critical workers, of which one waits for files of a server with two threads. */
struct told {
	struct verdict verdict;
	struct report report;
	struct producer producers[2];
	struct process_report processes[3];
	struct thread_report threads[5];
	struct edge_report edges[2];
	struct peer_report peers[1];
};

static void put_thread(struct told *t, size_t at, pid_t tid, unsigned int state, double all_s,
		       double waiting_s)
{
	t->threads[at].tid = tid;
	t->threads[at].ledger.ns[state] += ns(all_s);
	t->threads[at].waiting.ns[state] += ns(waiting_s);
}

static void put_process(struct told *t, size_t at, pid_t pid, size_t first, size_t count)
{
	struct process_report *p = &t->processes[at];

	p->pid = pid;
	p->thread_rows = &t->threads[first];
	p->thread_count = count;
	for (size_t i = first; i < first + count; i++) {
		ledger_add(&p->ledger, &t->threads[i].ledger);
		ledger_add(&p->waiting, &t->threads[i].waiting);
	}
}

static void tell(struct told *t)
{
	*t = (struct told){ 0 };
	put_thread(t, 0, WORKER, LEDGER_STORAGE_READ, 10, 6);
	put_thread(t, 1, OTHER_WORKER, LEDGER_NETWORK, 8, 2);
	/* One answers: 3 s of its 4 s on the clock are for the network; it sleeps too. */
	put_thread(t, 2, SERVER, LEDGER_CPU, 2, 0.5);
	put_thread(t, 2, SERVER, LEDGER_NETWORK, 6, 3);
	put_thread(t, 2, SERVER, LEDGER_SLEEP, 1, 0.5);
	put_thread(t, 2, SERVER, LEDGER_LOCK, 1, 1);
	/* One looks after something, and one never runs. */
	put_thread(t, 3, SERVER + 1, LEDGER_CPU, 0.1, 0);
	put_thread(t, 3, SERVER + 1, LEDGER_SLEEP, 9, 6);
	put_thread(t, 4, SERVER + 2, LEDGER_NETWORK, 10, 6);
	put_process(t, 0, WORKER, 0, 1);
	put_process(t, 1, OTHER_WORKER, 1, 1);
	put_process(t, 2, SERVER, 2, 3);
	t->processes[2].server = true;
	t->edges[0] = (struct edge_report){ .wakee_tid = WORKER,
					    .wakee_pid = WORKER,
					    .waker_tid = SERVER,
					    .waker_process = SERVER,
					    .waits = 100 };
	t->edges[0].ns[EDGE_STORAGE] = ns(9);
	t->peers[0] = (struct peer_report){ .tid = OTHER_WORKER,
					    .pid = OTHER_WORKER,
					    .kind = EDGE_NETWORK,
					    .server = SERVER,
					    .ns = ns(4) };
	t->producers[0] = (struct producer){
		.tid = WORKER, .pid = WORKER, .critical = true, .on_clock_s = 6
	};
	t->producers[0].blame_s[CLASS_STORAGE] = 6;
	t->producers[1] = (struct producer){
		.tid = OTHER_WORKER, .pid = OTHER_WORKER, .critical = true, .on_clock_s = 2
	};
	t->producers[1].blame_s[CLASS_NETWORK] = 2;
	t->report = (struct report){ .processes = t->processes,
				     .process_count = 3,
				     .edges = t->edges,
				     .edge_count = 1,
				     .peers = t->peers,
				     .peer_count = 1 };
	t->verdict = (struct verdict){ .pid = TRAINER,
				       .tid = TRAINER,
				       .class = CLASS_STORAGE,
				       .input = INPUT_PROCESSES,
				       .producers = t->producers,
				       .producer_count = 2 };
	t->verdict.blame_pct[CLASS_PIPELINE] = 20;
	t->verdict.blame_pct[CLASS_STORAGE] = 60;
	t->verdict.blame_pct[CLASS_NETWORK] = 20;
}

static void test_told(void **unused)
{
	struct served list[MAX_SERVERS];
	struct told t;

	(void)unused;
	tell(&t);
	assert_int_equal(served_find(list, &t.verdict, &t.report), 1);
	assert_int_equal(list[0].process->pid, SERVER);
	assert_int_equal(list[0].class, CLASS_STORAGE);
	/* 90 % of 6 s and 50 % of 2 s, of 8 s, which are 80 % of it all. */
	assert_float_equal(list[0].pct, 80 * (5.4 + 1) / 8, 1e-6);
	assert_float_equal(list[0].class_pct, 90, 1e-6);
	assert_true(list[0].on_clock && list[0].split_known);
	/* Of 0.5 + 3 + 0.5 s. */
	assert_float_equal(list[0].split_pct[LEDGER_CPU], 12.5, 1e-6);
	assert_float_equal(list[0].split_pct[LEDGER_NETWORK], 75, 1e-6);
	assert_float_equal(list[0].split_pct[LEDGER_SLEEP], 12.5, 1e-6);
	assert_int_equal(served_largest(&list[0]), LEDGER_NETWORK);
}

/* What the kernel ends for it, since it has the disk's data, is storage and not network. */
static void test_told_disk(void **unused)
{
	struct served list[MAX_SERVERS];
	struct told t;

	(void)unused;
	tell(&t);
	t.report.edge_count = 0;
	t.peers[0] = (struct peer_report){
		.tid = WORKER, .pid = WORKER, .kind = EDGE_STORAGE, .server = SERVER, .ns = ns(7)
	};
	/* It waits for the network too, and not for this server. */
	t.threads[0].ledger.ns[LEDGER_NETWORK] = ns(2);
	t.producers[0].blame_s[CLASS_NETWORK] = 1;
	assert_int_equal(served_find(list, &t.verdict, &t.report), 1);
	assert_int_equal(list[0].class, CLASS_STORAGE);
	/* 70 % of 6 s, of 8 s, which are 80 % of it all. */
	assert_float_equal(list[0].pct, 80 * 4.2 / 8, 1e-6);
	assert_float_equal(list[0].class_pct, 70, 1e-6);
}

/* Threads that have ended are in its sums alone. */
static void test_ended_threads(void **unused)
{
	struct served list[MAX_SERVERS];
	struct told t;

	(void)unused;
	tell(&t);
	t.processes[2].waiting.ns[LEDGER_CPU] += ns(4);
	assert_int_equal(served_find(list, &t.verdict, &t.report), 1);
	assert_float_equal(list[0].split_pct[LEDGER_CPU], 100 * 4.5 / 8, 1e-6);
}

static void test_without_clock(void **unused)
{
	struct served list[MAX_SERVERS];
	struct told t;

	(void)unused;
	tell(&t);
	t.processes[2].waiting = (struct ledger){ 0 };
	assert_int_equal(served_find(list, &t.verdict, &t.report), 1);
	assert_false(list[0].on_clock);
	/* Of 2 + 6 + 1 s, and 0.1 s of the other thread's. */
	assert_float_equal(list[0].split_pct[LEDGER_NETWORK], 100 * 6 / 9.1, 1e-6);
}

/* The trainer reads itself: its own waits are what is blamed. */
static void test_own(void **unused)
{
	struct served list[MAX_SERVERS];
	struct told t;

	(void)unused;
	tell(&t);
	t.verdict.input = INPUT_OWN;
	t.verdict.tid = WORKER;
	t.verdict.producer_count = 0;
	t.verdict.blame_pct[CLASS_PIPELINE] = 0;
	t.verdict.blame_pct[CLASS_STORAGE] = 80;
	assert_int_equal(served_find(list, &t.verdict, &t.report), 1);
	assert_float_equal(list[0].pct, 72, 1e-6);
}

static void test_not_told(void **unused)
{
	struct served list[MAX_SERVERS];
	struct told t;

	(void)unused;
	/* It carries 4 %. */
	tell(&t);
	t.report.peer_count = 0;
	t.edges[0].ns[EDGE_STORAGE] = ns(10 * 0.04 / 0.6);
	assert_int_equal(served_find(list, &t.verdict, &t.report), 0);
	/* It is of the job. */
	tell(&t);
	t.processes[2].server = false;
	assert_int_equal(served_find(list, &t.verdict, &t.report), 0);
	/* Nobody waited. */
	tell(&t);
	memset(t.verdict.blame_pct, 0, sizeof(t.verdict.blame_pct));
	t.verdict.producer_count = 0;
	assert_int_equal(served_find(list, &t.verdict, &t.report), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),        cmocka_unit_test(test_choose_peers),
		cmocka_unit_test(test_choose_none),   cmocka_unit_test(test_choose_the_largest),
		cmocka_unit_test(test_told),          cmocka_unit_test(test_ended_threads),
		cmocka_unit_test(test_without_clock), cmocka_unit_test(test_own),
		cmocka_unit_test(test_not_told),      cmocka_unit_test(test_choose_disk_peers),
		cmocka_unit_test(test_told_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
