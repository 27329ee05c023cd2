// SPDX-License-Identifier: BSD-2-Clause
/* Advice on cases that were worked out by hand, and its words. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "judge/advice.h"
#include "show/words.h"

enum { TRAINER = 100, WORKER = 200, FILES = 200, READ = 0, META = 2 };

/* One worker waits 10 s for files of /data, all on vda, for which its 1,000 requests of 128 KiB took 9 s. */
struct built {
	struct verdict verdict;
	struct report report;
	struct producer producers[1];
	struct process_report processes[1];
	struct file_report files[FILES];
	struct io_row rows[1];
	struct concurrency_report concurrency[1];
	struct advice list[ADVICE_MOST];
	size_t count;
};

static void set_files(struct built *b, size_t count, uint64_t bytes, double opening)
{
	b->processes[0].file_count = count;
	for (size_t i = 0; i < count; i++) {
		struct file_report *file = &b->files[i];

		*file = (struct file_report){ .path = "/data/file", .mount = "/data" };
		strcpy(file->device_name, "vda");
		file->bytes = bytes;
		file->wait_ns = 10ULL * NS_PER_S / count;
		file->kind_ns[META] = (uint64_t)(opening * (double)file->wait_ns);
		file->kind_ns[READ] = file->wait_ns - file->kind_ns[META];
	}
}

static void set_requests(struct built *b, uint64_t bytes, double seconds)
{
	b->rows[0].requests = 1000;
	b->rows[0].bytes = 1000 * bytes;
	b->rows[0].key.op = IO_READ;
	b->processes[0].block_s = seconds;
}

/* Alone, and beside another one. */
static void set_latencies(struct built *b, double alone_s, double beside_s)
{
	b->concurrency[0] = (struct concurrency_report){ .name = "/data" };
	b->concurrency[0].count[0] = b->concurrency[0].count[1] = 100;
	b->concurrency[0].mean_s[0] = alone_s;
	b->concurrency[0].mean_s[1] = beside_s;
	b->report.concurrency_count = 1;
}

static void build(struct built *b, enum verdict_class class)
{
	memset(b, 0, sizeof(*b));
	b->processes[0] = (struct process_report){
		.pid = WORKER, .files = b->files, .io = b->rows, .io_count = 1
	};
	b->processes[0].ledger.ns[LEDGER_STORAGE_READ] = 10ULL * NS_PER_S;
	b->report = (struct report){ .processes = b->processes,
				     .process_count = 1,
				     .concurrency = b->concurrency };
	set_files(b, 4, 32 << 20, 0);
	set_requests(b, 128 << 10, 9);
	b->producers[0] = (struct producer){
		.tid = WORKER, .pid = WORKER, .critical = true, .on_clock_s = 10
	};
	b->verdict = (struct verdict){ .pid = TRAINER,
				       .class = class,
				       .share_known = true,
				       .input = INPUT_PROCESSES,
				       .workers = 2,
				       .cpus = 4,
				       .busy_cpus = 1,
				       .waited_s = 11,
				       .steady_s = 20,
				       .producers = b->producers,
				       .producer_count = 1 };
	if (class < BLAME_CLASSES)
		b->verdict.blame_pct[class] = 100;
}

/* These kinds and no others, in this order; ended by ADVICE_KINDS. */
static void expect(struct built *b, const enum advice_kind *kinds)
{
	size_t i = 0;

	b->count = advice_find(b->list, &b->verdict, &b->report);
	for (; i < b->count && kinds[i] != ADVICE_KINDS; i++)
		assert_int_equal(b->list[i].kind, kinds[i]);
	assert_int_equal(i, b->count);
	assert_int_equal(kinds[i], ADVICE_KINDS);
}

#define EXPECT(b, ...) expect(b, (const enum advice_kind[]){ __VA_ARGS__, ADVICE_KINDS })

static void expect_none(struct built *b)
{
	assert_int_equal(advice_find(b->list, &b->verdict, &b->report), 0);
}

static void expect_figures(const struct built *b, double figure, double other_figure)
{
	assert_float_equal(b->list[0].figure, figure, 1e-9);
	assert_float_equal(b->list[0].other_figure, other_figure, 1e-9);
}

static void test_none(void **unused)
{
	static const enum verdict_class silent[] = {
		CLASS_NOT_INPUT_BOUND, CLASS_UNKNOWN,  CLASS_GPU,
		CLASS_SLEEP,           CLASS_EXTERNAL, CLASS_OTHER
	};
	struct built b;

	(void)unused;
	for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
		build(&b, silent[i]);
		set_latencies(&b, 0.01, 0.01);
		expect_none(&b);
	}
	build(&b, CLASS_UNKNOWN);
	b.verdict.input = INPUT_OWN;
	b.verdict.interpreter_lock = true;
	b.verdict.replaced = 9;
	expect_none(&b);
}

/* More workers where reads beside others are as fast as alone, and only there. */
static void test_storage_serves_more(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_STORAGE);
	set_latencies(&b, 0.010, 0.011);
	EXPECT(&b, ADVICE_MORE_WORKERS);
	expect_figures(&b, 0.010, 0.011);
	set_latencies(&b, 0.010, 0.012);
	EXPECT(&b, ADVICE_FASTER_STORAGE);
	expect_figures(&b, 0.010, 0.012);
	/* Hardly any was alone: 2 % of 5,100. */
	set_latencies(&b, 0.010, 0.010);
	b.concurrency[0].count[1] = 5000;
	EXPECT(&b, ADVICE_FASTER_STORAGE);
	expect_figures(&b, 0, 0);
	/* None was beside another one. */
	b.concurrency[0].count[1] = 0;
	EXPECT(&b, ADVICE_FASTER_STORAGE);
	/* Of another place. */
	set_latencies(&b, 0.010, 0.010);
	strcpy(b.concurrency[0].name, "/home");
	EXPECT(&b, ADVICE_FASTER_STORAGE);
	expect_figures(&b, 0, 0);
	/* Of the device. */
	strcpy(b.concurrency[0].name, "vda");
	b.concurrency[0].device = true;
	EXPECT(&b, ADVICE_MORE_WORKERS);
}

static void test_storage_in_threads(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_STORAGE);
	set_latencies(&b, 0.010, 0.010);
	b.verdict.input = INPUT_THREADS;
	b.verdict.frameworks = FRAMEWORK_PYTHON | FRAMEWORK_TENSORFLOW;
	EXPECT(&b, ADVICE_PARALLEL_READS);
	b.verdict.frameworks = FRAMEWORK_PYTHON;
	EXPECT(&b, ADVICE_MORE_WORKERS);
}

/* Workers that already wait for processors. */
static void test_storage_when_crowded(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_STORAGE);
	set_latencies(&b, 0.010, 0.010);
	b.verdict.blame_pct[CLASS_STORAGE] = 65;
	b.verdict.blame_pct[CLASS_RUNQUEUE] = 35;
	EXPECT(&b, ADVICE_FASTER_STORAGE);
}

/* The requests took 1 of 10 s: more workers would wait for the same limit. */
static void test_storage_above_the_block_layer(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_STORAGE);
	set_latencies(&b, 0.010, 0.010);
	set_requests(&b, 128 << 10, 1);
	b.report.above_block = true;
	EXPECT(&b, ADVICE_RAISE_LIMIT);
	expect_figures(&b, 1, 10);
	/* A file system without a device: there is no limit of that kind. */
	for (int i = 0; i < 4; i++)
		b.files[i].device_name[0] = '\0';
	EXPECT(&b, ADVICE_MORE_WORKERS);
	/* It is others of the job that wait above it. */
	set_files(&b, 4, 32 << 20, 0);
	set_requests(&b, 128 << 10, 9);
	EXPECT(&b, ADVICE_MORE_WORKERS);
}

static void test_small_files(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_STORAGE);
	set_files(&b, FILES, 100 << 10, 0.05);
	EXPECT(&b, ADVICE_PACK_FILES, ADVICE_FASTER_STORAGE);
	expect_figures(&b, FILES, 100 << 10);
	/* Nobody opens them: a little of each of many large ones. */
	set_files(&b, FILES, 100 << 10, 0);
	EXPECT(&b, ADVICE_FASTER_STORAGE);
	set_files(&b, FILES, 1 << 20, 0.05);
	EXPECT(&b, ADVICE_FASTER_STORAGE);
	set_files(&b, 100, 100 << 10, 0.05);
	EXPECT(&b, ADVICE_FASTER_STORAGE);
	/* Their size is not known (NFS, direct I/O), but looking them up takes long. */
	set_files(&b, FILES, 0, 0.4);
	EXPECT(&b, ADVICE_PACK_FILES, ADVICE_FASTER_STORAGE);
	expect_figures(&b, FILES, 0);
}

static void test_small_reads(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_STORAGE);
	set_requests(&b, 16 << 10, 9);
	EXPECT(&b, ADVICE_READ_AHEAD, ADVICE_FASTER_STORAGE);
	expect_figures(&b, 16 << 10, 4);
	set_requests(&b, 64 << 10, 9);
	EXPECT(&b, ADVICE_FASTER_STORAGE);
	/* Writes do not count. */
	set_requests(&b, 16 << 10, 9);
	b.rows[0].key.op = IO_WRITE;
	EXPECT(&b, ADVICE_FASTER_STORAGE);
	/* Nor does what lies below another device, and is counted there. */
	b.rows[0].key.op = IO_READ;
	b.rows[0].key.lower = 1;
	EXPECT(&b, ADVICE_FASTER_STORAGE);
	/* They are not of what it waits for. */
	b.rows[0].key.lower = 0;
	for (int i = 0; i < 4; i++)
		b.files[i].device_name[0] = '\0';
	EXPECT(&b, ADVICE_FASTER_STORAGE);
}

static void build_own(struct built *b, enum verdict_class class)
{
	build(b, class);
	b->verdict.input = INPUT_OWN;
	b->verdict.workers = 0;
}

static void test_it_reads_itself(void **unused)
{
	struct built b;

	(void)unused;
	build_own(&b, CLASS_STORAGE);
	b.verdict.producer_count = 0;
	b.processes[0].pid = TRAINER;
	set_latencies(&b, 0.010, 0.010);
	EXPECT(&b, ADVICE_ADD_WORKERS, ADVICE_FASTER_STORAGE);
	expect_figures(&b, 11, 20);
	/* It has some. */
	b.verdict.workers = 2;
	EXPECT(&b, ADVICE_FASTER_STORAGE);
	build_own(&b, CLASS_NETWORK);
	EXPECT(&b, ADVICE_ADD_WORKERS);
	build_own(&b, CLASS_PIPELINE);
	EXPECT(&b, ADVICE_ADD_WORKERS);
	build_own(&b, CLASS_CPU);
	EXPECT(&b, ADVICE_ADD_WORKERS);
	b.verdict.busy_cpus = 3.9;
	EXPECT(&b, ADVICE_LESS_CPU);
}

static void test_cpu(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_CPU);
	EXPECT(&b, ADVICE_MORE_WORKERS);
	expect_figures(&b, 1, 4);
	b.verdict.busy_cpus = 3.6;
	EXPECT(&b, ADVICE_LESS_CPU);
	expect_figures(&b, 3.6, 4);
	/* Not known. */
	b.verdict.cpus = 0;
	expect_none(&b);
	/* A stage in the trainer's process, behind the workers. */
	build(&b, CLASS_CPU);
	b.producers[0].pid = TRAINER;
	expect_none(&b);
	/* Processors that others use. */
	build(&b, CLASS_CPU);
	b.verdict.blame_pct[CLASS_CPU] = 65;
	b.verdict.blame_pct[CLASS_RUNQUEUE] = 35;
	EXPECT(&b, ADVICE_MORE_PROCESSORS);
}

static void test_interpreter_lock(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_LOCK);
	b.verdict.interpreter_lock = true;
	EXPECT(&b, ADVICE_PROCESSES);
	build(&b, CLASS_CPU);
	b.verdict.interpreter_lock = true;
	EXPECT(&b, ADVICE_PROCESSES);
	/* Python's threads that compute, or wait for a lock. */
	build(&b, CLASS_CPU);
	b.verdict.input = INPUT_THREADS;
	b.verdict.frameworks = FRAMEWORK_PYTHON | FRAMEWORK_PYTORCH;
	EXPECT(&b, ADVICE_PROCESSES);
	b.verdict.class = CLASS_LOCK;
	EXPECT(&b, ADVICE_PROCESSES);
	/* tf.data's are not the interpreter's. */
	b.verdict.class = CLASS_CPU;
	b.verdict.frameworks = FRAMEWORK_PYTHON | FRAMEWORK_TENSORFLOW;
	EXPECT(&b, ADVICE_MORE_WORKERS);
}

static void test_lock(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_LOCK);
	b.verdict.blame_pct[CLASS_LOCK] = 70;
	EXPECT(&b, ADVICE_NO_LOCK);
	expect_figures(&b, 70, 0);
}

static void test_runqueue(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_RUNQUEUE);
	b.verdict.workers = 5;
	b.verdict.busy_cpus = 3.9;
	EXPECT(&b, ADVICE_FEWER_WORKERS);
	expect_figures(&b, 5, 4);
	/* Others have the processors. */
	b.verdict.busy_cpus = 1;
	EXPECT(&b, ADVICE_MORE_PROCESSORS);
	/* As many as processors: too many only where the trainer itself finds none. */
	b.verdict.workers = 4;
	EXPECT(&b, ADVICE_MORE_PROCESSORS);
	expect_figures(&b, 1, 4);
	b.verdict.busy_cpus = 4.01;
	EXPECT(&b, ADVICE_LESS_CPU);
	expect_figures(&b, 4, 4);
	b.verdict.own_runqueue_s = 12;
	EXPECT(&b, ADVICE_FEWER_WORKERS);
	/* 20 have lived, 4 at a time; or all ended, and how many lived together is not known. */
	build(&b, CLASS_RUNQUEUE);
	b.verdict.workers = 20;
	b.verdict.replaced = 16;
	EXPECT(&b, ADVICE_MORE_PROCESSORS, ADVICE_PERSISTENT_WORKERS);
	b.verdict.replaced = 20;
	expect_none(&b);
	b.verdict.workers = 5;
	b.verdict.cpus = 0;
	expect_none(&b);
}

static void test_pipeline(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_PIPELINE);
	b.verdict.overlap_lost = 0.8;
	EXPECT(&b, ADVICE_PREFETCH);
	expect_figures(&b, 0.8, 0);
	/* Nobody works, but not because they take turns. */
	b.verdict.overlap_lost = 0.4;
	expect_none(&b);
}

static void test_replaced(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_PIPELINE);
	b.verdict.overlap_lost = 0.8;
	b.verdict.replaced = 6;
	b.verdict.workers = 8;
	EXPECT(&b, ADVICE_PERSISTENT_WORKERS, ADVICE_PREFETCH);
	expect_figures(&b, 6, 0);
	build(&b, CLASS_CPU);
	b.verdict.replaced = 6;
	b.verdict.workers = 8;
	EXPECT(&b, ADVICE_MORE_WORKERS, ADVICE_PERSISTENT_WORKERS);
	/* All ended: that was the run's end. */
	b.verdict.workers = 6;
	EXPECT(&b, ADVICE_MORE_WORKERS);
	b.verdict.workers = 8;
	/* One that ended was perhaps not replaced; threads come and go. */
	b.verdict.replaced = 1;
	EXPECT(&b, ADVICE_MORE_WORKERS);
	b.verdict.replaced = 6;
	b.verdict.workers = 8;
	b.verdict.input = INPUT_THREADS;
	EXPECT(&b, ADVICE_MORE_WORKERS);
	build(&b, CLASS_NOT_INPUT_BOUND);
	b.verdict.replaced = 6;
	b.verdict.workers = 8;
	expect_none(&b);
}

static void test_network_and_checkpoint(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_NETWORK);
	EXPECT(&b, ADVICE_CONNECTIONS);
	build(&b, CLASS_CHECKPOINT);
	b.verdict.own_write_s = 6;
	b.verdict.replaced = 6;
	EXPECT(&b, ADVICE_MOVE_CHECKPOINTS);
	expect_figures(&b, 6, 20);
}

/* On each cause of 30 % or more, the largest first. */
static void test_mixed(void **unused)
{
	struct built b;

	(void)unused;
	build(&b, CLASS_MIXED);
	b.verdict.blame_pct[CLASS_STORAGE] = 40;
	b.verdict.blame_pct[CLASS_NETWORK] = 45;
	b.verdict.blame_pct[CLASS_CPU] = 15;
	EXPECT(&b, ADVICE_CONNECTIONS, ADVICE_FASTER_STORAGE);
	/* Never both more and fewer workers. */
	b.verdict.blame_pct[CLASS_STORAGE] = 0;
	b.verdict.blame_pct[CLASS_NETWORK] = 0;
	b.verdict.blame_pct[CLASS_CPU] = 55;
	b.verdict.blame_pct[CLASS_RUNQUEUE] = 45;
	b.verdict.workers = 8;
	b.verdict.busy_cpus = 4;
	EXPECT(&b, ADVICE_FEWER_WORKERS);
	/* The same for two causes is told once. */
	b.verdict.blame_pct[CLASS_RUNQUEUE] = 0;
	b.verdict.blame_pct[CLASS_LOCK] = 45;
	b.verdict.interpreter_lock = true;
	EXPECT(&b, ADVICE_PROCESSES);
}

static struct advice_words words_of(enum advice_kind kind, enum verdict_input input,
				    unsigned int frameworks, bool marked)
{
	static const struct dataset dataset = { .place = { .path = "/data" }, .counted = true };
	static const struct memory_room memory = { .known = true };
	struct advice advice = {
		.kind = kind, .cause = CLASS_STORAGE, .figure = 0.005, .other_figure = 0.006
	};
	struct verdict v = { .input = input,
			     .frameworks = frameworks,
			     .marked = marked,
			     .share_known = true,
			     .workers = 3,
			     .steady_s = 20 };
	struct advice_words words;

	if (kind == ADVICE_CACHE)
		advice.dataset = (struct dataset_judged){ .dataset = &dataset, .memory = &memory };
	advice_describe(&words, &advice, &v);
	return words;
}

static void test_words_of_a_framework(void **unused)
{
	static const unsigned int torch = FRAMEWORK_PYTHON | FRAMEWORK_PYTORCH;
	static const unsigned int tensorflow = FRAMEWORK_PYTHON | FRAMEWORK_TENSORFLOW;
	static const struct {
		enum advice_kind kind;
		enum verdict_input input;
		unsigned int frameworks;
		bool marked;
		const char *word;
	} cases[] = {
		{ ADVICE_MORE_WORKERS, INPUT_PROCESSES, torch, false,
		  "raise DataLoader(num_workers=...) (3 now)" },
		{ ADVICE_MORE_WORKERS, INPUT_PROCESSES, 0, false, "use more workers (3 now)" },
		/* TensorBoard's import of TensorFlow does not make it tf.data. */
		{ ADVICE_MORE_WORKERS, INPUT_PROCESSES, torch | tensorflow, false, "DataLoader" },
		{ ADVICE_MORE_WORKERS, INPUT_THREADS, torch | tensorflow, false,
		  "num_parallel_calls" },
		{ ADVICE_MORE_WORKERS, INPUT_PROCESSES, tensorflow, false, "use more workers" },
		/* Threads are no DataLoader's. */
		{ ADVICE_MORE_WORKERS, INPUT_THREADS, torch, false, "use more workers" },
		{ ADVICE_PROCESSES, INPUT_THREADS, torch, false, "DataLoader(num_workers" },
		{ ADVICE_ADD_WORKERS, INPUT_OWN, torch, false, "DataLoader(num_workers" },
		{ ADVICE_ADD_WORKERS, INPUT_OWN, tensorflow, true, "Dataset.prefetch(" },
		{ ADVICE_PREFETCH, INPUT_PROCESSES, torch, false, "prefetch_factor" },
		{ ADVICE_PREFETCH, INPUT_THREADS, tensorflow, true, "Dataset.prefetch(" },
		{ ADVICE_PARALLEL_READS, INPUT_THREADS, tensorflow, true, "Dataset.interleave(" },
		{ ADVICE_PERSISTENT_WORKERS, INPUT_PROCESSES, torch, false,
		  "persistent_workers=True" },
		{ ADVICE_FASTER_STORAGE, INPUT_THREADS, tensorflow, true, "Dataset.cache()" },
		{ ADVICE_PREFETCH, INPUT_THREADS, torch | FRAMEWORK_DALI, true, "queue" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct advice_words words = words_of(cases[i].kind, cases[i].input,
						     cases[i].frameworks, cases[i].marked);

		if (!strstr(words.what, cases[i].word))
			fail_msg("case %zu: \"%s\"", i, words.what);
	}
}

/* Each kind has both, in each dialect. */
static void test_words_are_complete(void **unused)
{
	static const unsigned int frameworks[] = { 0, FRAMEWORK_PYTORCH, FRAMEWORK_TENSORFLOW };

	(void)unused;
	for (int kind = 0; kind < ADVICE_KINDS; kind++)
		for (size_t i = 0; i < sizeof(frameworks) / sizeof(frameworks[0]); i++) {
			struct advice_words words =
				words_of((enum advice_kind)kind, INPUT_OWN, frameworks[i], false);

			assert_true(words.what[0] && words.because[0]);
		}
	assert_string_equal(
		words_of(ADVICE_MORE_WORKERS, INPUT_PROCESSES, 0, false).because,
		"reads took 5.00 ms alone and 6.00 ms beside others, so it serves more at the same time");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_storage_serves_more),
		cmocka_unit_test(test_storage_in_threads),
		cmocka_unit_test(test_storage_when_crowded),
		cmocka_unit_test(test_storage_above_the_block_layer),
		cmocka_unit_test(test_small_files),
		cmocka_unit_test(test_small_reads),
		cmocka_unit_test(test_it_reads_itself),
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_interpreter_lock),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_runqueue),
		cmocka_unit_test(test_pipeline),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_network_and_checkpoint),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_words_of_a_framework),
		cmocka_unit_test(test_words_are_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
