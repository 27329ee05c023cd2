// SPDX-License-Identifier: BSD-2-Clause
/* From two samples to a report and to rates. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "model/rates.h"
#include "model/report.h"

enum { DISK = 8 << 20, OTHER_DISK = 9 << 20, JOB_OWNER = OWNER_FIRST };

static void add_owners(struct sample *sample, uint32_t pid, uint64_t start_boot_ns)
{
	for (uint32_t i = 0; i <= JOB_OWNER; i++) {
		struct owner_sample *o = sample_add_owner(sample);

		assert_non_null(o);
		memset(o, 0, sizeof(*o));
		o->owner.kind = i < OWNER_FIRST ? OWNER_FIXED : OWNER_PROCESS;
		if (i == JOB_OWNER) {
			o->owner.pid = pid;
			o->owner.start_boot_ns = start_boot_ns;
			strcpy(o->owner.comm, "loader");
		}
	}
}

static struct io_row *add_row(struct sample *sample, uint32_t owner, uint32_t device, uint16_t op,
			      uint64_t requests, uint64_t bytes)
{
	struct io_row *row = sample_add_row(sample);

	assert_non_null(row);
	memset(row, 0, sizeof(*row));
	row->key = (struct io_key){ .owner = owner, .device = device, .op = op };
	row->requests = requests;
	row->bytes = bytes;
	row->live = 1;
	return row;
}

static struct disk_sample *add_disk(struct sample *sample, uint32_t device, uint64_t read_bytes)
{
	struct disk_sample *disk = sample_add_disk(sample);

	assert_non_null(disk);
	memset(disk, 0, sizeof(*disk));
	disk->device = device;
	snprintf(disk->name, sizeof(disk->name), "disk%u", device_major(device));
	disk->read_bytes = read_bytes;
	return disk;
}

static void test_delta_of_counters(void **unused)
{
	(void)unused;
	assert_int_equal(counter_delta(7, 5), 2);
	assert_int_equal(counter_delta(5, 5), 0);
	/* Restarted: what is there now is what came since. */
	assert_int_equal(counter_delta(3, 5), 3);
	assert_int_equal(counter32_delta(5, 0xfffffffb), 10);
}

static void test_delta_of_rows(void **unused)
{
	struct io_row from = {
		.requests = 2, .bytes = 100, .device_ns = 30, .device_max_ns = 20000
	};
	struct io_row to = { .requests = 5, .bytes = 400, .device_ns = 90, .device_max_ns = 20000 };
	struct io_row delta;

	(void)unused;
	from.device[histogram_index(20000)] = 1;
	to.device[histogram_index(20000)] = 1;
	to.device[histogram_index(3000)] = 3;
	io_subtract(&delta, &to, &from);
	assert_int_equal(delta.requests, 3);
	assert_int_equal(delta.bytes, 300);
	assert_int_equal(delta.device_ns, 60);
	assert_int_equal(delta.device[histogram_index(20000)], 0);
	/* The maximum of before is not this interval's: the highest bucket bounds it. */
	assert_int_equal(delta.device_max_ns, histogram_upper_ns(histogram_index(3000)));

	/* A row that started again counts from zero, whole: no field mixes old and new. */
	io_subtract(&delta, &from, &to);
	assert_int_equal(delta.requests, 2);
	assert_int_equal(delta.bytes, 100);
	assert_int_equal(delta.device[histogram_index(20000)], 1);
}

static void test_latency_without_requests_is_unknown(void **unused)
{
	struct io_row row = { .requests = 3, .unissued = 3 };

	(void)unused;
	assert_false(io_device_latency(&row).known);
	row.device[histogram_index(4000)] = 2;
	row.device_ns = 8000;
	row.device_max_ns = 4000;
	assert_true(io_device_latency(&row).known);
	assert_true(io_device_latency(&row).mean_ns == 4000);
}

static void test_report(void **unused)
{
	const struct device_choices none = { .count = 0 };
	struct sample from = { .mono_ns = NS_PER_S, .boot_ns = 100ULL * NS_PER_S };
	struct sample to = { .mono_ns = 3ULL * NS_PER_S, .boot_ns = 102ULL * NS_PER_S };
	const struct device_report *d;
	struct report report;

	(void)unused;
	add_owners(&from, 42, 90ULL * NS_PER_S);
	add_owners(&to, 42, 90ULL * NS_PER_S);
	add_disk(&from, DISK, 1000);
	add_disk(&to, DISK, 9000);
	add_row(&from, JOB_OWNER, DISK, IO_READ, 1, 1000);
	add_row(&to, JOB_OWNER, DISK, IO_READ, 5, 5000);
	add_row(&to, OWNER_OUTSIDE, DISK, IO_READ, 2, 2000);
	add_row(&to, OWNER_UNKNOWN, DISK, IO_READ, 1, 1500);
	assert_int_equal(report_build(&report, &from, &to, false, &none), 0);

	assert_true(report.seconds == 2);
	assert_int_equal(report.process_count, 1);
	assert_int_equal(report.processes[0].pid, 42);
	assert_int_equal(report.processes[0].bytes, 4000);
	assert_true(report.processes[0].start_s == -10);
	assert_false(report.processes[0].ended);
	assert_int_equal(report.device_count, 1);
	d = &report.devices[0];
	assert_string_equal(d->name, "disk8");
	assert_int_equal(d->read_bytes, 7500);
	assert_int_equal(d->job_read_bytes, 4000);
	assert_int_equal(d->unattributed_read_bytes, 1500);
	assert_int_equal(d->diskstats_read_bytes, 8000);
	/* (4000 + 2000) of 8000: what is unattributed or not seen at all does not count. */
	assert_true(d->coverage_pct == 75);
	report_free(&report);
	sample_free(&from);
	sample_free(&to);
}

static void test_report_tells_processes_with_one_pid_apart(void **unused)
{
	const struct device_choices none = { .count = 0 };
	struct sample from = { .boot_ns = 100ULL * NS_PER_S },
		      to = { .boot_ns = 110ULL * NS_PER_S };
	struct report report;

	(void)unused;
	/* The owner's place was given to another process between the samples. */
	add_owners(&from, 42, 90ULL * NS_PER_S);
	add_owners(&to, 42, 105ULL * NS_PER_S);
	add_row(&from, JOB_OWNER, DISK, IO_READ, 9, 9000);
	add_row(&to, JOB_OWNER, DISK, IO_READ, 10, 10000);
	assert_int_equal(report_build(&report, &from, &to, false, &none), 0);
	assert_int_equal(report.processes[0].bytes, 10000);
	report_free(&report);
	sample_free(&from);
	sample_free(&to);
}

static void test_rows_added_up_do_not_count_twice(void **unused)
{
	const struct device_choices none = { .count = 0 };
	struct sample from = { .mono_ns = 0 }, to = { .mono_ns = NS_PER_S };
	struct report report;

	(void)unused;
	add_owners(&from, 42, 1);
	add_owners(&to, 43, 2);
	/* 700 bytes before the window, 300 in it, then added up in (exited). */
	add_row(&from, JOB_OWNER, DISK, IO_READ, 7, 700);
	add_row(&to, OWNER_EXITED, DISK, IO_READ, 10, 1000);
	assert_int_equal(report_build(&report, &from, &to, true, &none), 0);
	assert_int_equal(report.process_count, 1);
	assert_string_equal(report.processes[0].comm, "(exited)");
	assert_int_equal(report.processes[0].bytes, 300);
	report_free(&report);
	sample_free(&from);
	sample_free(&to);
}

/* Each in another place than before, as where some were given back in between; some are new. */
static void test_rows_that_moved(void **unused)
{
	const struct device_choices none = { .count = 0 };
	struct sample from = { .mono_ns = 0 }, to = { .mono_ns = NS_PER_S };
	struct report report;

	(void)unused;
	add_owners(&from, 42, 1);
	add_owners(&to, 42, 1);
	for (uint32_t i = 1; i <= 20; i++)
		add_row(&from, JOB_OWNER, i << 20, IO_READ, 1, 1000 * i);
	for (uint32_t i = 30; i >= 1; i--)
		add_row(&to, JOB_OWNER, i << 20, IO_READ, 2, 1000 * i + i);
	assert_int_equal(report_build(&report, &from, &to, false, &none), 0);
	assert_int_equal(report.process_count, 1);
	assert_int_equal(report.processes[0].io_count, 30);
	for (uint32_t i = 1; i <= 30; i++) {
		const struct io_row *row = &report.processes[0].io[i - 1];

		assert_int_equal(row->key.device, i << 20);
		assert_int_equal(row->bytes, i <= 20 ? i : 1001 * i);
	}
	report_free(&report);
	sample_free(&from);
	sample_free(&to);
}

static void test_devices_nobody_was_seen_on_are_listed(void **unused)
{
	const struct device_choices none = { .count = 0 };
	struct sample from = { .mono_ns = 0 }, to = { .mono_ns = NS_PER_S };
	struct report report;

	(void)unused;
	add_owners(&from, 42, 1);
	add_owners(&to, 42, 1);
	add_disk(&from, DISK, 0);
	add_disk(&to, DISK, 4096);
	add_disk(&from, OTHER_DISK, 5);
	add_disk(&to, OTHER_DISK, 5);
	assert_int_equal(report_build(&report, &from, &to, false, &none), 0);
	assert_int_equal(report.device_count, 1);
	assert_int_equal(report.devices[0].device, DISK);
	assert_true(report.devices[0].coverage_known && report.devices[0].coverage_pct == 0);
	report_free(&report);
	sample_free(&from);
	sample_free(&to);
}

static void test_rates(void **unused)
{
	struct sample from = { .mono_ns = 0 }, to = { .mono_ns = 2ULL * NS_PER_S };
	struct totals before = { .count = 0 }, now = { .count = 0 };
	struct io_row *row;
	struct scratch scratch = { 0 };
	struct rates rates;

	(void)unused;
	add_owners(&from, 42, 1);
	add_owners(&to, 42, 1);
	add_disk(&from, DISK, 0)->busy_ms = 0xfffffe0c; /* 500 ms before it wraps */
	add_disk(&to, DISK, 0)->busy_ms = 500;
	row = add_row(&to, JOB_OWNER, DISK, IO_READ, 10, 6000000);
	row->device[histogram_index(5000)] = 10;
	row->device_max_ns = 5000;
	add_row(&to, OWNER_OUTSIDE, DISK, IO_WRITE, 10, 2000000);
	assert_int_equal(totals_build(&before, &from, false), 0);
	assert_int_equal(totals_build(&now, &to, false), 0);

	assert_int_equal(rates_build(&rates, &scratch, 0, &from, &before, &to, &now), 0);
	assert_string_equal(rates.name, "total");
	assert_true(rates.read_mb_s == 3);
	assert_true(rates.write_mb_s == 0);
	assert_true(rates.requests_s == 5);
	assert_true(rates.read.known && !rates.write.known);
	assert_true(rates.busy_known && rates.busy_pct == 50);

	/* Everybody's, and a device without any. */
	assert_int_equal(totals_build(&now, &to, true), 0);
	assert_int_equal(rates_build(&rates, &scratch, DISK, &from, &before, &to, &now), 0);
	assert_string_equal(rates.name, "disk8");
	assert_true(rates.write_mb_s == 1);
	assert_int_equal(rates_build(&rates, &scratch, OTHER_DISK, &from, &before, &to, &now), 0);
	assert_true(rates.read_mb_s == 0 && !rates.read.known && !rates.busy_known);
	totals_free(&before);
	totals_free(&now);
	sample_free(&from);
	sample_free(&to);
}

static void test_stack_counts_once(void **unused)
{
	const struct device_choices none = { .count = 0 };
	struct sample from = { .mono_ns = NS_PER_S }, to = { .mono_ns = 2ULL * NS_PER_S };
	struct totals before = { 0 }, now = { 0 };
	struct owner_sample *loop;
	struct report report;
	struct scratch scratch = { 0 };
	struct rates rates;

	(void)unused;
	add_owners(&from, 77, 5);
	add_owners(&to, 77, 5);
	loop = sample_add_owner(&to);
	memset(loop, 0, sizeof(*loop));
	loop->owner.kind = OWNER_KERNEL;
	strcpy(loop->owner.cmdline, "loop0");
	add_disk(&from, DISK, 0);
	add_disk(&to, DISK, 1500);
	add_row(&to, JOB_OWNER, OTHER_DISK, IO_READ, 2, 1000);
	add_row(&to, JOB_OWNER, DISK, IO_READ, 2, 1000)->key.lower = 1;
	add_row(&to, JOB_OWNER + 1, DISK, IO_READ, 1, 500);
	assert_int_equal(report_build(&report, &from, &to, false, &none), 0);
	assert_int_equal(report.job_bytes, 1000);
	assert_int_equal(report.processes[0].bytes, 1000);
	assert_int_equal(report.processes[0].io_count, 2);
	assert_string_equal(report.processes[1].comm, "[loop]");
	assert_string_equal(report.processes[1].cmdline, "loop0");
	for (size_t i = 0; i < report.device_count; i++) {
		const struct device_report *d = &report.devices[i];

		if (d->device != DISK)
			continue;
		assert_int_equal(d->read_bytes, 1500);
		assert_int_equal(d->job_read_bytes, 1000);
		/* Whose it is, [loop] does not say. */
		assert_int_equal(d->unattributed_read_bytes, 500);
		assert_true(d->coverage_pct > 66.6 && d->coverage_pct < 66.7);
	}
	report_free(&report);

	assert_int_equal(totals_build(&before, &from, true), 0);
	assert_int_equal(totals_build(&now, &to, true), 0);
	assert_int_equal(rates_build(&rates, &scratch, 0, &from, &before, &to, &now), 0);
	assert_true(rates.read_mb_s == 0.001);
	assert_int_equal(rates_build(&rates, &scratch, DISK, &from, &before, &to, &now), 0);
	assert_true(rates.read_mb_s == 0.0015);
	totals_free(&before);
	totals_free(&now);
	sample_free(&from);
	sample_free(&to);
}

static void add_file(struct sample *sample, uint64_t start, uint64_t read_bytes,
		     uint64_t write_bytes, const char *path)
{
	struct file_sample *file = sample_add_file(sample);

	assert_non_null(file);
	*file = (struct file_sample){ .owner = JOB_OWNER,
				      .owner_start_boot_ns = start,
				      .read_bytes = read_bytes,
				      .write_bytes = write_bytes,
				      .path = path ? strdup(path) : NULL };
}

static void test_files(void **unused)
{
	const struct device_choices none = { .count = 0 };
	struct sample from = { .mono_ns = NS_PER_S }, to = { .mono_ns = 2ULL * NS_PER_S };
	const struct process_report *p;
	struct report report;

	(void)unused;
	add_owners(&from, 77, 5);
	add_owners(&to, 77, 5);
	add_row(&to, JOB_OWNER, DISK, IO_READ, 2, 1000);
	add_file(&from, 5, 100, 0, NULL);
	add_file(&from, 5, 70, 0, NULL);
	add_file(&to, 5, 110, 5, "/small");
	add_file(&to, 5, 70, 0, "/before"); /* nothing in the window */
	add_file(&to, 5, 300, 0, "/large");
	add_file(&to, 4, 300, 0, "/of an earlier process in this place");
	assert_int_equal(report_build(&report, &from, &to, false, &none), 0);
	p = &report.processes[0];
	assert_int_equal(p->file_count, 2);
	assert_string_equal(p->files[0].path, "/large");
	assert_int_equal(p->files[0].bytes, 300);
	assert_string_equal(p->files[1].path, "/small");
	assert_int_equal(p->files[1].bytes, 15);
	report_free(&report);
	sample_free(&from);
	sample_free(&to);
}

/* Of ten seconds; what a kernel does not tell is not known. */
static void test_pressure(void **unused)
{
	struct sample from = { .mono_ns = 0 }, to = { .mono_ns = 10ULL * NS_PER_S };
	struct device_choices all = { 0 };
	struct report report;

	(void)unused;
	from.pressure[PRESSURE_IO] = (struct pressure_sample){ true, 1000000, 500000 };
	to.pressure[PRESSURE_IO] = (struct pressure_sample){ true, 3500000, 1000000 };
	to.pressure[PRESSURE_CPU] = (struct pressure_sample){ true, 5, 5 };
	assert_int_equal(report_build(&report, &from, &to, false, &all), 0);
	assert_true(report.pressure[PRESSURE_IO].known);
	assert_float_equal(report.pressure[PRESSURE_IO].some_pct, 25, 1e-9);
	assert_float_equal(report.pressure[PRESSURE_IO].full_pct, 5, 1e-9);
	assert_false(report.pressure[PRESSURE_CPU].known);
	assert_false(report.pressure[PRESSURE_MEMORY].known);
	report_free(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pressure),
		cmocka_unit_test(test_stack_counts_once),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_delta_of_counters),
		cmocka_unit_test(test_delta_of_rows),
		cmocka_unit_test(test_latency_without_requests_is_unknown),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_report_tells_processes_with_one_pid_apart),
		cmocka_unit_test(test_rows_added_up_do_not_count_twice),
		cmocka_unit_test(test_rows_that_moved),
		cmocka_unit_test(test_devices_nobody_was_seen_on_are_listed),
		cmocka_unit_test(test_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
