// SPDX-License-Identifier: BSD-2-Clause
/* Who works for whom, and in which thread a loop runs. */
#include "unit.h"

#include "judge/roles.h"
#include "loops.h"

enum { SHELL = 10, TRAINER = 100, SERVER = 150 };

static struct scratch scratch;

static struct roles found(struct built *b, pid_t trainer)
{
	struct roles roles = { 0 };

	assert_int_equal(roles_find(&roles, &scratch, &b->loop, trainer), 0);
	return roles;
}

static void check(const struct roles *roles, pid_t pid, pid_t trainer, pid_t tid)
{
	const struct role *role = roles_of(roles, pid);

	assert_non_null(role);
	assert_int_equal(role->trainer_pid, trainer);
	assert_int_equal(role->tid, tid);
}

/* A process with its first thread, which is busy for half of the time. */
static void add(struct built *b, pid_t pid, pid_t ppid)
{
	add_process(b, pid, ppid);
	spend(add_thread(b, pid, pid), LEDGER_CPU, 10, 0);
}

/* A shell starts the trainer, which starts a server that forks workers; of these one has not done anything yet. */
static void test_under_a_server(void **unused)
{
	struct built b;
	struct roles roles;

	(void)unused;
	begin_empty(&b, 20);
	add(&b, SHELL, 0);
	add(&b, TRAINER, SHELL);
	add(&b, SERVER, TRAINER);
	add(&b, 200, SERVER);
	add(&b, 201, SERVER);
	add_edge(&b, SHELL, TRAINER, 20)->waits = 1;
	add_edge(&b, TRAINER, 200, 10);
	roles = found(&b, 0);
	check(&roles, SHELL, SHELL, SHELL);
	check(&roles, TRAINER, TRAINER, TRAINER);
	check(&roles, SERVER, TRAINER, SERVER);
	check(&roles, 200, TRAINER, 200);
	check(&roles, 201, TRAINER, 201);
	assert_null(roles_of(&roles, 999));
	roles_free(&roles);
}

/* Two ranks under a launcher that looks at them now and then; one has a worker, one has none. */
static void test_ranks(void **unused)
{
	struct built b;
	struct roles roles;

	(void)unused;
	begin_empty(&b, 20);
	add(&b, SHELL, 0);
	add(&b, 100, SHELL);
	add(&b, 101, SHELL);
	add(&b, 200, 100);
	add_edge(&b, 100, 200, 10);
	add_edge(&b, SHELL, 100, 5)->waits = 2;
	add_edge(&b, 100, 101, 5); /* they wait for each other, and are no ancestors */
	roles = found(&b, 0);
	check(&roles, SHELL, SHELL, SHELL);
	check(&roles, 100, 100, 100);
	check(&roles, 101, 101, 101);
	check(&roles, 200, 100, 200);
	roles_free(&roles);
}

/* The first thread waits for the end of another one, which is handed batches. */
static void test_loop_in_a_thread(void **unused)
{
	struct built b;
	struct roles roles;

	(void)unused;
	begin_empty(&b, 20);
	add_process(&b, TRAINER, 0);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_LOCK, 20, 20);
	spend(add_thread(&b, 101, TRAINER), LEDGER_CPU, 8, 0);
	add(&b, 200, TRAINER);
	add_edge(&b, 101, 200, 12);
	roles = found(&b, 0);
	check(&roles, TRAINER, TRAINER, 101);
	roles_free(&roles);
}

/*
 * A thread that passes batches on works more than the loop does, which is the first thread's; or less, where it is another
 * one's.
 */
static void test_behind_a_thread_that_passes_on(void **unused)
{
	struct built b;
	struct roles roles;

	(void)unused;
	begin_empty(&b, 20);
	add_process(&b, TRAINER, 0);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_GPU, 2, 0);
	spend(add_thread(&b, 101, TRAINER), LEDGER_CPU, 8, 0);
	spend(add_thread(&b, 102, TRAINER), LEDGER_CPU, 4, 0);
	add(&b, 200, TRAINER);
	add_edge(&b, 101, 200, 12);
	add_edge(&b, TRAINER, 101, 18);
	roles = found(&b, 0);
	check(&roles, TRAINER, TRAINER, TRAINER);
	roles_free(&roles);
	b.threads[0].all.ns[LEDGER_GPU] = 0;
	b.threads[1].all.ns[LEDGER_CPU] = ns(1);
	b.edges[1].wakee_tid = 102;
	roles = found(&b, 0);
	check(&roles, TRAINER, TRAINER, 102);
	roles_free(&roles);
}

/* The manager of a pool waits for its workers, and for calls of the loop, which always finds results. */
static void test_fed_by_a_pool(void **unused)
{
	struct built b;
	struct roles roles;

	(void)unused;
	begin_empty(&b, 20);
	add_process(&b, TRAINER, 0);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_SLEEP, 19, 0);
	spend(add_thread(&b, 101, TRAINER), LEDGER_CPU, 1, 0);
	add(&b, 200, TRAINER);
	add_edge(&b, 101, 200, 12);
	add_edge(&b, 101, TRAINER, 6);
	roles = found(&b, 0);
	check(&roles, TRAINER, TRAINER, TRAINER);
	roles_free(&roles);
}

/* The first thread has read modules for long, is fed by a worker, and wakes a thread that computes with it. */
static void test_cold_start(void **unused)
{
	struct built b;
	struct roles roles;

	(void)unused;
	begin_empty(&b, 20);
	add(&b, TRAINER, 0);
	spend(&b.threads[0], LEDGER_STORAGE_FAULT, 3, 0);
	spend(add_thread(&b, 101, TRAINER), LEDGER_CPU, 4, 0);
	add(&b, 200, TRAINER);
	add_edge(&b, TRAINER, 200, 8);
	add_edge_of(&b, EDGE_LOCK, 101, TRAINER, 15)->waits = 6000;
	roles = found(&b, 0);
	check(&roles, TRAINER, TRAINER, TRAINER);
	assert_true(roles_of(&roles, TRAINER)->fed);
	roles_free(&roles);
}

/* Threads that read wait for one another's locks, and hand over to a loop in another thread. */
static void test_readers_in_one_process(void **unused)
{
	struct built b;
	struct roles roles;

	(void)unused;
	begin_empty(&b, 20);
	add_process(&b, TRAINER, 0);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_LOCK, 20, 20);
	spend(add_thread(&b, 101, TRAINER), LEDGER_STORAGE_READ, 18, 0);
	spend(add_thread(&b, 102, TRAINER), LEDGER_STORAGE_READ, 18, 0);
	spend(add_thread(&b, 103, TRAINER), LEDGER_CPU, 6, 0);
	add_edge_of(&b, EDGE_LOCK, 101, 102, 1);
	add_edge_of(&b, EDGE_LOCK, 102, 101, 1);
	add_edge_of(&b, EDGE_LOCK, 103, 101, 6);
	roles = found(&b, 0);
	check(&roles, TRAINER, TRAINER, 103);
	roles_free(&roles);
}

/* A process that reads its data itself, in another thread than the first one. */
static void test_own_reads_in_a_thread(void **unused)
{
	struct built b;
	struct roles roles;

	(void)unused;
	begin_empty(&b, 20);
	add_process(&b, TRAINER, 0);
	spend(add_thread(&b, TRAINER, TRAINER), LEDGER_LOCK, 20, 20);
	spend(add_thread(&b, 101, TRAINER), LEDGER_STORAGE_READ, 8, 0);
	roles = found(&b, 0);
	check(&roles, TRAINER, TRAINER, 101);
	roles_free(&roles);
}

/* The user knows better. */
static void test_named(void **unused)
{
	struct built b;
	struct roles roles;

	(void)unused;
	begin_empty(&b, 20);
	add(&b, SHELL, 0);
	add(&b, 100, SHELL);
	add(&b, 101, SHELL);
	add(&b, 200, 100);
	add_edge(&b, 100, 200, 10);
	add_edge(&b, 100, 101, 5);
	roles = found(&b, 101);
	check(&roles, 101, 101, 101);
	check(&roles, 100, 101, 100);
	check(&roles, SHELL, SHELL, SHELL);
	roles_free(&roles);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_under_a_server),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_loop_in_a_thread),
		cmocka_unit_test(test_behind_a_thread_that_passes_on),
		cmocka_unit_test(test_fed_by_a_pool),
		cmocka_unit_test(test_cold_start),
		cmocka_unit_test(test_readers_in_one_process),
		cmocka_unit_test(test_own_reads_in_a_thread),
		cmocka_unit_test(test_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
