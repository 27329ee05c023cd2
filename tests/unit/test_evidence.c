// SPDX-License-Identifier: BSD-2-Clause
/* Sentences about verdicts that were made by hand. */
#include "unit.h"

#include <string.h>

#include "base/units.h"
#include "collect/limits.h"
#include "show/words.h"

enum { TRAINER = 100 };

struct built {
	struct verdict verdict;
	struct report report;
	struct producer producers[8];
	struct process_report processes[2];
	struct file_report files[1];
	struct device_report devices[1];
	struct io_row rows[1];
	struct evidence evidence;
};

/* Worker 200 reads /data/a on vda for 98 % of the 4.63 s, worker 300 does 0.2 s of something. */
static void build(struct built *b, const char *path)
{
	memset(b, 0, sizeof(*b));
	b->files[0] = (struct file_report){ .path = path,
					    .mount = "/data",
					    .wait_ns = 4ULL * NS_PER_S,
					    .kind_ns = { 4ULL * NS_PER_S } };
	strcpy(b->files[0].device_name, "vda");
	b->rows[0] = (struct io_row){ .key = { .device = 5, .op = IO_READ },
				      .requests = 10,
				      .device_max_ns = 3 * NS_PER_MS };
	b->rows[0].device[HISTOGRAM_BUCKETS / 2] = 10;
	b->devices[0] = (struct device_report){ .device = 5, .name = "vda" };
	b->processes[0] = (struct process_report){
		.pid = 200, .files = b->files, .file_count = 1, .io = b->rows, .io_count = 1
	};
	b->processes[0].ledger.ns[LEDGER_STORAGE_READ] = 4ULL * NS_PER_S;
	b->processes[1] = (struct process_report){ .pid = TRAINER };
	b->report = (struct report){ .processes = b->processes,
				     .process_count = 2,
				     .devices = b->devices,
				     .device_count = 1 };
	b->producers[0] =
		(struct producer){ .tid = 200, .pid = 200, .critical = true, .on_clock_s = 4.6 };
	b->producers[1] = (struct producer){ .tid = 300, .pid = 300, .on_clock_s = 0.2778 };
	b->verdict = (struct verdict){ .pid = TRAINER,
				       .class = CLASS_STORAGE,
				       .startup_class = CLASS_UNKNOWN,
				       .share_known = true,
				       .input = INPUT_PROCESSES,
				       .waited_s = 4.63,
				       .steady_s = 4.73,
				       .input_bound_pct = 97.9,
				       .producers = b->producers,
				       .producer_count = 2 };
	b->verdict.blame_pct[CLASS_STORAGE] = 98;
	b->verdict.blame_pct[CLASS_CPU] = 2;
}

static bool says(struct built *b, const char *text)
{
	evidence_collect(&b->evidence, &b->verdict, &b->report);
	for (size_t i = 0; i < b->evidence.count; i++)
		if (strstr(b->evidence.lines[i], text))
			return true;
	return false;
}

static void test_storage(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, "/data/a");
	assert_true(says(&b,
			 "trainer waited 4.63 of 4.73 s (97.9 %) for worker 200; it spent 98 % of "
			 "it reading /data/a on vda; device p99 "));
	assert_true(says(&b, "worker 300 was idle 94 % of that time"));
	assert_true(says(&b, "upper bound"));
	assert_false(says(&b, "above the block layer"));
	b.report.above_block = true;
	assert_true(says(&b, ", so the wait is above the block layer"));
	b.processes[0].io_count = 0;
	assert_true(
		says(&b, "; the wait is above the block layer: the job's requests took 0.0 of"));
	b.files[0].kind_ns[0] = 0;
	b.files[0].kind_ns[2] = 4ULL * NS_PER_S;
	assert_true(says(&b, "looking up /data/a on vda"));
	b.verdict.blame_pct[CLASS_STORAGE] = 30;
	b.verdict.blame_pct[CLASS_CPU] = 70;
	assert_true(says(&b, "it spent 70 % of it computing, 30 % looking up /data/a on vda"));
	b.verdict.blame_pct[CLASS_STORAGE] = 98;
	b.verdict.blame_pct[CLASS_CPU] = 2;
	b.processes[0].file_count = 0;
	assert_true(says(&b, "it spent 98 % of it waiting for storage"));
}

/* A name that acts on terminals, and one that does not fit. */
static void test_hostile_names(void **unused)
{
	char path[5000];
	struct built b;

	(void)unused;
	build(&b, "/data/\033[31m\n");
	assert_true(says(&b, "reading /data/\\x1b[31m\\x0a on vda"));
	memset(path, 0xff, sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	build(&b, path);
	assert_true(says(&b, "\\xff on vda; device p99"));
}

static void test_many_producers(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, "/data/a");
	for (int i = 0; i < 8; i++)
		b.producers[i] = (struct producer){
			.tid = 200 + i, .pid = 200 + i / 2 * 2, .critical = true, .on_clock_s = 4
		};
	b.verdict.producer_count = 8;
	assert_true(says(&b, "for workers 200, 202, 204, 206;"));
	b.producers[1].pid = 201;
	assert_true(says(&b, "for workers 200, 201, 202, 204 and 1 more; they spent"));
	for (int i = 0; i < 8; i++)
		b.producers[i].pid = TRAINER;
	assert_true(says(&b, "for its threads 200, 201, 202, 203 and 4 more;"));
}

static void test_startup(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, "/data/a");
	b.verdict.startup_s = 231;
	assert_true(says(&b, "231 s before the first batches"));
	assert_false(says(&b, "batches, most"));
	b.verdict.startup_class = CLASS_STORAGE;
	assert_true(says(&b, "231 s before the first batches, most of it storage"));
	b.verdict.startup_s = 9;
	b.verdict.steady_s = 100;
	assert_false(says(&b, "before the first"));
	b.verdict.steady_s = 17;
	assert_true(says(&b, "9.0 s before the first batches"));
	b.verdict.class = CLASS_UNKNOWN;
	assert_true(says(&b, "9.0 s before the first batches"));
	assert_int_equal(b.evidence.count, 1);
}

static void test_intervals(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, "/data/a");
	b.verdict.interval_classes[CLASS_NOT_INPUT_BOUND] = 2;
	assert_false(says(&b, "intervals"));
	b.verdict.interval_classes[CLASS_STORAGE] = 41;
	b.verdict.interval_classes[CLASS_CPU] = 10;
	b.verdict.interval_classes[CLASS_UNKNOWN] = 7;
	assert_true(says(&b, "storage-bound in 41 of 60 intervals, cpu-bound in 10, unknown in 7"));
	assert_false(says(&b, "not-input-bound in"));
}

static void test_share_not_known(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, "/data/a");
	b.verdict.share_known = false;
	b.verdict.waited_s = 0;
	b.verdict.class = CLASS_LOCK;
	b.verdict.interpreter_lock = true;
	assert_true(says(&b, "cannot be told"));
	assert_true(says(&b, "interpreter's lock"));
	assert_false(says(&b, "upper bound"));
	assert_false(says(&b, "idle"));
	b.verdict.reason = REASON_SAME_LOCK;
	assert_true(says(&b, "cannot be told: its threads share a lock"));
	assert_false(says(&b, "interpreter's lock"));
}

static void test_other_classes(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, "/data/a");
	b.verdict.class = CLASS_CHECKPOINT;
	b.verdict.own_write_s = 2;
	assert_true(says(&b, "it wrote and opened files for 2.00 of 4.73 s"));
	build(&b, "/data/a");
	b.verdict.class = CLASS_RUNQUEUE;
	b.verdict.own_runqueue_s = 4.7;
	b.verdict.cpus = 2;
	b.verdict.busy_cpus = 1.9;
	assert_true(says(&b, "it waited for a processor itself for 4.70 of 4.73 s"));
	assert_true(says(&b, "the job kept 1.9 of 2 processors busy"));
	build(&b, "/data/a");
	b.verdict.marked = true;
	assert_true(says(&b, "next-batch calls were watched"));
	build(&b, "/data/a");
	b.verdict.class = CLASS_NOT_INPUT_BOUND;
	b.verdict.waited_s = 0.1;
	b.verdict.input_bound_pct = 2.1;
	memset(b.verdict.blame_pct, 0, sizeof(b.verdict.blame_pct));
	assert_true(says(&b, "trainer waited 0.10 of 4.73 s (2.1 %) for input"));
	assert_int_equal(b.evidence.count, 1);
	b.verdict.looks = 400;
	b.verdict.uncertainty_pct = 3;
	assert_true(says(&b, "sampled 400 times: 2 % is between 0 and 5 %"));
}

static void test_held_back(void **unused)
{
	struct limits limits = { .pid = TRAINER,
				 .held_back_known = true,
				 .held_back_ns = 12ULL * NS_PER_S,
				 .held_back_before_ns = 10ULL * NS_PER_S };
	struct built b;

	(void)unused;
	build(&b, "/data/a");
	assert_false(says(&b, "quota"));
	b.report.limits = &limits;
	b.report.limits_count = 1;
	assert_true(says(&b, "used up its quota of processor time, and was held back for 2.0 s"));
	limits.held_back_before_ns = 12ULL * NS_PER_S;
	assert_false(says(&b, "quota"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_back),       cmocka_unit_test(test_storage),
		cmocka_unit_test(test_hostile_names),   cmocka_unit_test(test_many_producers),
		cmocka_unit_test(test_startup),         cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_share_not_known), cmocka_unit_test(test_other_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
