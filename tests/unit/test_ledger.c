// SPDX-License-Identifier: BSD-2-Clause
/* Time of threads between two samples, and which devices are a GPU's. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "collect/gpu.h"
#include "model/ledger.h"
#include "model/report.h"

enum { JOB_OWNER = OWNER_FIRST, SECOND_OWNER };

static struct scratch scratch;

static struct owner *add_owner(struct sample *sample, uint64_t start_boot_ns)
{
	struct owner_sample *o = sample_add_owner(sample);

	assert_non_null(o);
	memset(o, 0, sizeof(*o));
	o->owner.kind = sample->owner_count <= OWNER_FIRST ? OWNER_FIXED : OWNER_PROCESS;
	o->owner.pid = o->owner.kind == OWNER_PROCESS ? 40 + (uint32_t)sample->owner_count : 0;
	o->owner.start_boot_ns = o->owner.kind == OWNER_PROCESS ? start_boot_ns : 0;
	return &o->owner;
}

/* The fixed owners and one of a job, which is returned. */
static struct owner *add_owners(struct sample *sample, uint64_t start_boot_ns)
{
	while (sample->owner_count < OWNER_FIRST)
		add_owner(sample, 0);
	sample->has_ledger = true;
	return add_owner(sample, start_boot_ns);
}

static struct thread *add_thread(struct sample *sample, uint32_t owner, uint64_t owner_start,
				 uint64_t start_ns)
{
	struct thread *thread = sample_add_thread(sample);

	assert_non_null(thread);
	memset(thread, 0, sizeof(*thread));
	thread->life = THREAD_ALIVE;
	thread->owner = owner;
	thread->owner_start_boot_ns = owner_start;
	thread->start_ns = start_ns;
	return thread;
}

static void test_parts_of_a_class(void **unused)
{
	struct ledger ledger = { .ns = { [LEDGER_CPU] = 10,
					 [LEDGER_STORAGE_WRITE] = 1,
					 [LEDGER_FSYNC] = 20,
					 [LEDGER_DIRTY_LIMIT] = 300,
					 [LEDGER_STORAGE_READ] = 5,
					 [LEDGER_IDLE] = 1000000 } };
	unsigned int order[LEDGER_CLASSES];

	(void)unused;
	assert_int_equal(ledger_class_ns(&ledger, LEDGER_STORAGE_WRITE), 321);
	assert_int_equal(ledger_storage_ns(&ledger), 326);
	/* A worker without work is in no sum. */
	assert_int_equal(ledger_wall_ns(&ledger), 336);
	ledger_order(&ledger, order);
	assert_int_equal(order[0], LEDGER_STORAGE_WRITE);
	assert_int_equal(order[1], LEDGER_CPU);
	assert_int_equal(order[2], LEDGER_STORAGE_READ);
	/* Equal ones stay in their order, each once. */
	assert_int_equal(order[3], LEDGER_RUNQUEUE);
	assert_int_equal(order[LEDGER_CLASSES - 1], LEDGER_OTHER);
}

/* One thread goes on, one ends and is its process's, one is new. */
static void test_by_owner(void **unused)
{
	struct sample from = { 0 }, to = { 0 };
	struct owner *o;
	struct ledger *ledgers, one;

	(void)unused;
	o = add_owners(&from, 7);
	o->ended_ns[LEDGER_CPU] = 5;
	add_thread(&from, JOB_OWNER, 7, 100)->ns[LEDGER_IPC] = 50;
	add_thread(&from, JOB_OWNER, 7, 200)->ns[LEDGER_CPU] = 30;
	o = add_owners(&to, 7);
	o->ended_ns[LEDGER_CPU] = 5 + 40;
	add_thread(&to, JOB_OWNER, 7, 100)->ns[LEDGER_IPC] = 70;
	/* In the place of the one that ended. */
	add_thread(&to, JOB_OWNER, 7, 300)->ns[LEDGER_SLEEP] = 9;
	add_thread(&to, JOB_OWNER, 7, 0)->life = THREAD_FREE;

	ledgers = ledger_by_owner(&scratch, &from, &to, LEDGER_ALL);
	assert_non_null(ledgers);
	assert_int_equal(ledgers[JOB_OWNER].ns[LEDGER_IPC], 20);
	assert_int_equal(ledgers[JOB_OWNER].ns[LEDGER_CPU], 10);
	assert_int_equal(ledgers[JOB_OWNER].ns[LEDGER_SLEEP], 9);
	assert_int_equal(ledger_wall_ns(&ledgers[OWNER_EXITED]), 0);
	scratch_free(&scratch);
	ledger_of_thread(&one, &from, &to, 0, LEDGER_ALL);
	assert_int_equal(ledger_wall_ns(&one), 20);
	ledger_of_thread(&one, &from, &to, 1, LEDGER_ALL);
	assert_int_equal(ledger_wall_ns(&one), 9);
	sample_free(&from);
	sample_free(&to);
}

/* Its place is another process's by now, and its time was added up as that of exited ones. */
static void test_of_an_exited_process(void **unused)
{
	struct sample from = { 0 }, to = { 0 };
	struct owner *o;
	struct ledger *ledgers;

	(void)unused;
	add_owners(&from, 7)->ended_ns[LEDGER_LOCK] = 100;
	from.owners[OWNER_EXITED].owner.ended_ns[LEDGER_LOCK] = 1000;
	o = add_owners(&to, 8);
	o->ended_ns[LEDGER_LOCK] = 3;
	to.owners[OWNER_EXITED].owner.ended_ns[LEDGER_LOCK] = 1000 + 100 + 40;
	ledgers = ledger_by_owner(&scratch, &from, &to, LEDGER_ALL);
	assert_non_null(ledgers);
	assert_int_equal(ledgers[JOB_OWNER].ns[LEDGER_LOCK], 3);
	assert_int_equal(ledgers[OWNER_EXITED].ns[LEDGER_LOCK], 40);
	scratch_free(&scratch);
	sample_free(&from);
	sample_free(&to);
}

/* The correction at a switch takes back what a sample in the middle of the sleep had. */
static void test_never_below_zero(void **unused)
{
	struct sample from = { 0 }, to = { 0 };
	struct ledger *ledgers;

	(void)unused;
	add_owners(&from, 7);
	add_owners(&to, 7);
	add_thread(&from, JOB_OWNER, 7, 100)->ns[LEDGER_IPC] = 50;
	add_thread(&to, JOB_OWNER, 7, 100)->ns[LEDGER_IPC] = 48;
	ledgers = ledger_by_owner(&scratch, &from, &to, LEDGER_ALL);
	assert_non_null(ledgers);
	assert_int_equal(ledger_wall_ns(&ledgers[JOB_OWNER]), 0);
	scratch_free(&scratch);
	sample_free(&from);
	sample_free(&to);
}

static void build(struct report *report, const struct sample *from, const struct sample *to)
{
	const struct device_choices none = { .count = 0 };

	assert_int_equal(report_build(report, from, to, false, &none), 0);
}

/* `block_ms` of requests, of which `waits_ms` were waited for. */
static bool is_above(uint64_t waits_ms, uint64_t block_ms)
{
	struct sample from = { 0 }, to = { .mono_ns = NS_PER_S };
	struct report report;
	struct io_row *row;
	bool above;

	add_owners(&from, 7);
	add_owners(&to, 7);
	add_thread(&to, JOB_OWNER, 7, 100)->ns[LEDGER_STORAGE_READ] = waits_ms * NS_PER_MS;
	to.threads[0].ns[LEDGER_CPU] = NS_PER_S;
	row = sample_add_row(&to);
	assert_non_null(row);
	memset(row, 0, sizeof(*row));
	row->key = (struct io_key){ .owner = JOB_OWNER, .device = 8 << 20, .op = IO_READ };
	row->requests = 1;
	row->device_ns = block_ms * NS_PER_MS;
	build(&report, &from, &to);
	above = report.above_block;
	assert_true(report.job_block_s > (double)block_ms / 1000 - 1e-9);
	report_free(&report);
	sample_free(&from);
	sample_free(&to);
	return above;
}

static void test_above_the_block_layer(void **unused)
{
	(void)unused;
	assert_true(is_above(900, 10));
	assert_true(is_above(900, 440));
	assert_false(is_above(900, 460)); /* half of it is requests */
	assert_false(is_above(90, 0));    /* too little to speak of */
	assert_false(is_above(0, 500));
}

/* The ten with the most bytes and the ten most waited for are shown. */
static void test_files_that_are_shown(void **unused)
{
	static char path[] = "/data/x";
	struct sample from = { 0 }, to = { 0 };
	size_t shown = 0;
	struct report report;

	(void)unused;
	add_owners(&from, 7);
	add_owners(&to, 7);
	for (uint64_t i = 0; i < 60; i++) {
		struct file_sample *file = sample_add_file(&to);

		assert_non_null(file);
		*file = (struct file_sample){ .owner = JOB_OWNER, .owner_start_boot_ns = 7 };
		file->path = strdup(path);
		file->read_bytes = (i * 37 % 60) * 4096;
		file->wait_ns[i % WAIT_KINDS] = (i * 23 % 60) * NS_PER_MS;
	}
	build(&report, &from, &to);
	assert_int_equal(report.process_count, 1);
	for (size_t i = 0; i < report.processes[0].file_count; i++) {
		const struct file_report *file = &report.processes[0].files[i];
		bool largest = file->bytes >= 50 * 4096, longest = file->wait_ns >= 50 * NS_PER_MS;

		assert_int_equal(file->shown, largest || longest);
		shown += file->shown;
	}
	assert_true(shown >= 10 && shown <= 20);
	report_free(&report);
	sample_free(&from);
	sample_free(&to);
}

static void test_waiting_clock(void **unused)
{
	uint64_t clock = 0;

	(void)unused;
	clock = clock_in_state(clock, LEDGER_CPU, 1000);
	assert_int_equal(clock_read(clock, 1500), 0);
	clock = clock_in_state(clock, LEDGER_IPC, 2000);
	assert_int_equal(clock_read(clock, 2300), 300);
	/* The wait for a processor after it counts; another wait goes on. */
	clock = clock_in_state(clock, LEDGER_RUNQUEUE, 2400);
	clock = clock_in_state(clock, LEDGER_NETWORK, 2450);
	assert_int_equal(clock_read(clock, 2500), 500);
	clock = clock_in_state(clock, LEDGER_CPU, 2600);
	assert_int_equal(clock_read(clock, 9000), 600);
	/* Preempted, not waiting for input; and writes are no input. */
	clock = clock_in_state(clock, LEDGER_RUNQUEUE, 9000);
	clock = clock_in_state(clock, LEDGER_STORAGE_WRITE, 9500);
	assert_int_equal(clock_read(clock, 9900), 600);
}

static void test_gpu_drivers(void **unused)
{
	static const char *const lines[] = { "Character devices:",
					     "  1 mem",
					     "195 nvidia-frontend",
					     "226 drm",
					     "508 nvidia-uvm",
					     "511 kfd",
					     "600 nvidia",
					     "",
					     "x",
					     "29 fb" };
	__u8 majors[GPU_MAJORS] = { 0 };
	int count = 0;

	(void)unused;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		gpu_majors_add_line(majors, lines[i]);
	for (int i = 0; i < GPU_MAJORS; i++)
		count += majors[i];
	assert_int_equal(count, 4);
	assert_true(majors[195] && majors[226] && majors[508] && majors[511]);
	assert_int_equal(gpu_majors_read("/no/such/file", majors), -ENOENT);
	assert_int_equal(gpu_majors_read("/proc/devices", majors), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_of_a_class),
		cmocka_unit_test(test_by_owner),
		cmocka_unit_test(test_of_an_exited_process),
		cmocka_unit_test(test_never_below_zero),
		cmocka_unit_test(test_above_the_block_layer),
		cmocka_unit_test(test_files_that_are_shown),
		cmocka_unit_test(test_waiting_clock),
		cmocka_unit_test(test_gpu_drivers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
