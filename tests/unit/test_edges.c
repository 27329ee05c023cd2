// SPDX-License-Identifier: BSD-2-Clause
/* Who waited for whom between two samples. */
#include "unit.h"

#include "model/edges.h"

static void add(struct sample *sample, uint32_t wakee, uint32_t waker, uint64_t ipc_ns,
		uint64_t lock_ns, uint64_t waits)
{
	struct edge_sample *edge = sample_add_edge(sample);

	assert_non_null(edge);
	*edge = (struct edge_sample){
		.key = { .wakee_tid = wakee, .waker_tid = waker },
		.edge = { .ns = { [EDGE_IPC] = ipc_ns, [EDGE_LOCK] = lock_ns },
			  .waits = waits,
			  .wakee_pid = wakee / 10,
			  .waker_pid = waker / 10 },
	};
}

/* The table's order is that of a hash: another one each time. */
static void test_between_two_samples(void **unused)
{
	struct sample from = { 0 }, to = { 0 };
	struct report report = { 0 };

	(void)unused;
	add(&from, 51, 40, 1000, 0, 3);
	add(&from, 30, 51, 7, 7, 2);
	add(&from, 51, 30, 5, 0, 1);
	add(&to, 30, 51, 7, 7, 2); /* no wait meanwhile: not listed */
	add(&to, 51, 30, 105, 20, 4);
	add(&to, 51, 0, 50, 0, 1); /* new, by the kernel */
	add(&to, 51, 40, 1300, 0, 4);
	assert_int_equal(
		edges_between(&report.edges, &report.edge_count, &report.scratch, &from, &to), 0);

	assert_int_equal(report.edge_count, 3);
	assert_int_equal(report.edges[2].waker_tid, 40);
	assert_int_equal(report.edges[2].ns[EDGE_IPC], 300);
	assert_int_equal(report.edges[2].waits, 1);
	assert_int_equal(report.edges[1].waker_tid, 30);
	assert_int_equal(report.edges[1].waker_pid, 3);
	assert_int_equal(report.edges[1].wakee_pid, 5);
	assert_int_equal(report.edges[1].ns[EDGE_IPC], 100);
	assert_int_equal(report.edges[1].ns[EDGE_LOCK], 20);
	assert_int_equal(edge_blocked_ns(&report.edges[1]), 120);
	assert_int_equal(report.edges[1].waits, 3);
	assert_int_equal(report.edges[0].waker_tid, 0);
	assert_int_equal(report.edges[0].waker_pid, 0);
	assert_int_equal(edge_blocked_ns(&report.edges[0]), 50);
	scratch_free(&report.scratch);
	sample_free(&from);
	sample_free(&to);
}

static void test_none(void **unused)
{
	struct sample from = { 0 }, to = { 0 };
	struct report report = { 0 };

	(void)unused;
	assert_int_equal(
		edges_between(&report.edges, &report.edge_count, &report.scratch, &from, &to), 0);
	assert_int_equal(report.edge_count, 0);
	scratch_free(&report.scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_between_two_samples),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
