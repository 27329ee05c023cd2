// SPDX-License-Identifier: BSD-2-Clause
/* Pieces of a run, added up. */
#include "unit.h"

#include "base/order.h"
#include "model/edges.h"
#include "model/loop.h"

enum { TIDS = 6, MOST_EDGES = 40, MOST_STRETCHES_ADDED = 3000 };

static int by_pair(const void *a, const void *b)
{
	return edge_compare_pairs(a, b);
}

/* Up to MOST_EDGES of the pairs of TIDS threads, some of them more than once, in their order. */
static size_t random_edges(struct edge_report edges[MOST_EDGES], uint64_t *state)
{
	size_t count = random_next(state) % (MOST_EDGES + 1);

	for (size_t i = 0; i < count; i++)
		edges[i] = (struct edge_report){
			.wakee_tid = (pid_t)(random_next(state) % TIDS),
			.waker_tid = (pid_t)(random_next(state) % TIDS),
			.waits = 1 + random_next(state) % 9,
		};
	sort_in_place(edges, count, sizeof(*edges), by_pair);
	return count;
}

static void count_waits(uint64_t waits[TIDS][TIDS], const struct edge_report *edges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		waits[edges[i].wakee_tid][edges[i].waker_tid] += edges[i].waits;
}

/* Each pair is there once, in order, with all that was added to it. */
static void test_random_edges(void **unused)
{
	uint64_t state = 7;

	(void)unused;
	for (int round = 0; round < 500; round++) {
		uint64_t expected[TIDS][TIDS] = { 0 }, found[TIDS][TIDS] = { 0 };
		struct loop sum = { 0 };

		for (size_t parts = random_next(&state) % 5; parts; parts--) {
			struct edge_report edges[MOST_EDGES];
			struct loop part = { .edges = edges };

			part.edge_count = random_edges(edges, &state);
			count_waits(expected, edges, part.edge_count);
			assert_int_equal(loop_add(&sum, &part), 0);
		}
		for (size_t i = 1; i < sum.edge_count; i++)
			assert_true(by_pair(&sum.edges[i - 1], &sum.edges[i]) < 0);
		count_waits(found, sum.edges, sum.edge_count);
		assert_memory_equal(found, expected, sizeof(found));
		loop_free(&sum);
	}
}

/* Of a long run stretches are added up in pairs; nothing of it is lost, whatever their number. */
static void test_long_run(void **unused)
{
	struct loop_thread thread = { .tid = 5, .pid = 5, .stretches = 1 };
	struct loop part = { .wall_ns = 10, .threads = &thread, .thread_count = 1 };
	struct stretches stretches = { 0 };

	(void)unused;
	thread.all.ns[LEDGER_CPU] = 3;
	for (uint64_t n = 1; n <= MOST_STRETCHES_ADDED; n++) {
		uint64_t wall_ns = 0, cpu_ns = 0;

		assert_int_equal(stretches_add(&stretches, &part), 0);
		assert_true(stretches.count <= MAX_STRETCHES);
		for (size_t i = 0; i < stretches.count; i++) {
			wall_ns += stretches.list[i].wall_ns;
			assert_int_equal(stretches.list[i].thread_count, 1);
			cpu_ns += stretches.list[i].threads[0].all.ns[LEDGER_CPU];
		}
		assert_int_equal(wall_ns, 10 * n);
		assert_int_equal(cpu_ns, 3 * n);
	}
	assert_true(stretches.length > 1);
	stretches_free(&stretches);
}

/* With many threads fewer stretches are kept, an odd number of them too. */
static void test_many_threads(void **unused)
{
	/* So many that just one stretch more than ENOUGH_STRETCHES is too much. */
	enum { THREADS = MAX_STRETCH_BYTES / ENOUGH_STRETCHES / sizeof(struct loop_thread) };
	static struct loop_thread threads[THREADS];
	struct loop part = { .wall_ns = 10, .threads = threads, .thread_count = THREADS };
	struct stretches stretches = { 0 };
	bool halved_odd = false;

	(void)unused;
	for (int i = 0; i < (int)THREADS; i++)
		threads[i] = (struct loop_thread){ .tid = i + 1, .pid = 1, .stretches = 1 };
	for (uint64_t n = 1; n <= 600; n++) {
		size_t before = stretches.count;
		uint64_t wall_ns = 0;

		assert_int_equal(stretches_add(&stretches, &part), 0);
		halved_odd = halved_odd || (stretches.count < before && before % 2);
		for (size_t i = 0; i < stretches.count; i++)
			wall_ns += stretches.list[i].wall_ns;
		assert_int_equal(wall_ns, 10 * n);
	}
	assert_true(halved_odd);
	stretches_free(&stretches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_edges),
		cmocka_unit_test(test_long_run),
		cmocka_unit_test(test_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
