// SPDX-License-Identifier: BSD-2-Clause
/* Samples of SOURCE_PROC: to rates and to a report, and how these are shown. What is not known is never 0. */
#include "unit.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "model/disks.h"
#include "model/rates.h"
#include "model/report.h"
#include "show/show.h"

/* Numbers that no disk of the machine has: nothing in sysfs is about them. */
enum { DISK = 2000 << 20, OTHER_DISK = 2001 << 20, PARTITION = DISK + 1, JOB_OWNER = OWNER_FIRST };

struct built {
	struct sample from, to;
	struct totals before, now;
	struct scratch scratch;
	struct rates rates;
	char *text;
	size_t size;
};

static void add_owners(struct sample *sample, size_t count)
{
	for (uint32_t i = 0; i < JOB_OWNER + count; i++) {
		struct owner_sample *o = sample_add_owner(sample);

		assert_non_null(o);
		memset(o, 0, sizeof(*o));
		o->owner.kind = i < OWNER_FIRST ? OWNER_FIXED : OWNER_PROCESS;
		o->owner.pid = i < OWNER_FIRST ? 0 : 40 + i;
		o->owner.start_boot_ns = i;
		strcpy(o->owner.comm, "loader");
	}
}

static void add_row(struct sample *sample, uint32_t owner, uint8_t op, uint64_t bytes)
{
	struct io_row *row = sample_add_row(sample);

	assert_non_null(row);
	memset(row, 0, sizeof(*row));
	row->key = (struct io_key){ .owner = owner, .op = op, .cause = CAUSE_SUBMIT };
	row->bytes = bytes;
}

static struct disk_sample *add_disk(struct sample *sample, uint32_t device, const char *name)
{
	struct disk_sample *disk = sample_add_disk(sample);

	assert_non_null(disk);
	*disk = (struct disk_sample){ .device = device };
	strcpy(disk->name, name);
	return disk;
}

static void count(struct disk_sample *disk, uint64_t reads, uint64_t read_ms, uint64_t writes,
		  uint64_t write_ms)
{
	disk->reads = reads;
	disk->read_bytes = reads * 4000;
	disk->read_ms = read_ms;
	disk->writes = writes;
	disk->write_bytes = writes * 8000;
	disk->write_ms = write_ms;
}

/* Two seconds. */
static void begin(struct built *b, size_t owners)
{
	*b = (struct built){
		.from = { .source = SOURCE_PROC, .mono_ns = NS_PER_S, .looks = 10 },
		.to = { .source = SOURCE_PROC, .mono_ns = 3ULL * NS_PER_S, .looks = 110 },
	};
	add_owners(&b->from, owners);
	add_owners(&b->to, owners);
}

static void end(struct built *b)
{
	sample_free(&b->from);
	sample_free(&b->to);
	totals_free(&b->before);
	totals_free(&b->now);
	scratch_free(&b->scratch);
	free(b->text);
}

static void rate(struct built *b, uint32_t device, bool everybody)
{
	assert_int_equal(totals_build(&b->before, &b->from, everybody), 0);
	assert_int_equal(totals_build(&b->now, &b->to, everybody), 0);
	assert_int_equal(
		rates_build(&b->rates, &b->scratch, device, &b->from, &b->before, &b->to, &b->now),
		0);
}

static void test_disk(void **unused)
{
	struct disk_sample *then, *now;
	struct built b;

	(void)unused;
	begin(&b, 0);
	then = add_disk(&b.from, DISK, "one");
	now = add_disk(&b.to, DISK, "one");
	count(then, 100, 0xffffff00, 10, 5);
	count(now, 600, 0xf4 + 256, 10, 5); /* 500 reads in 500 + 256 ms, and it wraps between */
	now->read_ms = 500 - 256;
	now->discards = 3;
	now->flushes = 1;
	now->busy_ms = 1000;
	rate(&b, DISK, true);
	assert_string_equal(b.rates.name, "one");
	assert_true(b.rates.bytes_known && b.rates.requests_known);
	assert_true(b.rates.read_mb_s == 1 && b.rates.write_mb_s == 0);
	assert_true(b.rates.requests_s == 252);
	assert_true(b.rates.read.known && b.rates.read.mean_ns == NS_PER_MS);
	assert_false(b.rates.write.known);
	assert_true(b.rates.busy_known && b.rates.busy_pct == 50);
	end(&b);
}

/* What is there twice counts once, and each disk's time by how many requests it had. */
static void test_all_disks(void **unused)
{
	struct built b;

	(void)unused;
	begin(&b, 0);
	add_disk(&b.from, DISK, "one");
	add_disk(&b.from, PARTITION, "one1")->partition = true;
	add_disk(&b.from, OTHER_DISK, "two");
	count(add_disk(&b.to, DISK, "one"), 100, 300, 50, 50);
	count(add_disk(&b.to, PARTITION, "one1"), 100, 300, 50, 50);
	b.to.disks[1].partition = true;
	count(add_disk(&b.to, OTHER_DISK, "two"), 300, 100, 0, 0);
	b.to.disks[2].busy_ms = 500;
	rate(&b, 0, true);
	assert_string_equal(b.rates.name, "total");
	assert_true(b.rates.read_mb_s == 0.8 && b.rates.write_mb_s == 0.2);
	assert_true(b.rates.requests_s == 225);
	assert_true(b.rates.read.mean_ns == NS_PER_MS && b.rates.write.mean_ns == NS_PER_MS);
	assert_true(b.rates.busy_pct == 25);
	assert_true(totals_differ(&b.before, &b.now));
	assert_false(totals_differ(&b.now, &b.now));
	rate(&b, PARTITION, true);
	assert_true(b.rates.read_mb_s == 0.2 && b.rates.requests_s == 75);
	end(&b);
}

/* A disk that was plugged in again counts from 0; no rate is below 0 or huge. */
static void test_disk_again(void **unused)
{
	struct disk_sample *then, *now;
	struct built b;

	(void)unused;
	begin(&b, 0);
	then = add_disk(&b.from, DISK, "one");
	now = add_disk(&b.to, DISK, "one");
	count(then, 1000, 1000, 1, 1);
	then->busy_ms = 50000;
	count(now, 10, 20, 5, 5); /* more writes than before: all counters are new, not some */
	now->busy_ms = 30;
	rate(&b, DISK, true);
	assert_true(b.rates.read_mb_s == 0.02 && b.rates.write_mb_s == 0.02);
	assert_true(b.rates.requests_s == 7.5);
	assert_true(b.rates.read.mean_ns == 2 * NS_PER_MS);
	assert_true(b.rates.write.mean_ns == NS_PER_MS);
	assert_true(b.rates.busy_pct == 1.5);
	/* The times alone went back: no mean, instead of one of weeks. */
	count(then, 5, 1000, 1, 5);
	rate(&b, DISK, true);
	assert_true(b.rates.bytes_known && !b.rates.read.known && !b.rates.write.known);
	then->busy_ms = 31;
	rate(&b, DISK, true);
	assert_false(b.rates.busy_known);
	end(&b);
}

static void test_disks_come_and_go(void **unused)
{
	struct built b;

	(void)unused;
	begin(&b, 0);
	count(add_disk(&b.from, DISK, "one"), 100, 100, 0, 0);
	count(add_disk(&b.to, OTHER_DISK, "two"), 10, 20, 0, 0);
	rate(&b, DISK, true);
	assert_false(b.rates.bytes_known || b.rates.requests_known || b.rates.read.known ||
		     b.rates.busy_known);
	rate(&b, OTHER_DISK, true);
	assert_true(b.rates.read_mb_s == 0.02 && b.rates.read.mean_ns == 2 * NS_PER_MS);
	rate(&b, 0, true);
	assert_true(b.rates.read_mb_s == 0.02);
	end(&b);
}

static void test_job(void **unused)
{
	struct built b;

	(void)unused;
	begin(&b, 3);
	add_disk(&b.from, DISK, "one");
	count(add_disk(&b.to, DISK, "one"), 1000, 1000, 0, 0);
	b.to.disks[0].busy_ms = 500;
	add_row(&b.from, JOB_OWNER, IO_READ, 1000);
	add_row(&b.to, JOB_OWNER, IO_READ, 5000);
	add_row(&b.from, JOB_OWNER, IO_WRITE, 9000);
	add_row(&b.to, JOB_OWNER, IO_WRITE, 3000);     /* taken back */
	add_row(&b.to, JOB_OWNER + 1, IO_WRITE, 6000); /* met since */
	/* Another process has the place. */
	add_row(&b.from, JOB_OWNER + 2, IO_READ, 1000000);
	b.from.owners[JOB_OWNER + 2].owner.start_boot_ns = 99;
	add_row(&b.to, JOB_OWNER + 2, IO_READ, 2000);
	rate(&b, 0, false);
	assert_true(b.rates.bytes_known && !b.rates.requests_known);
	assert_true(fabs(b.rates.read_mb_s - 0.003) < 1e-9);
	assert_true(fabs(b.rates.write_mb_s - 0.003) < 1e-9);
	assert_false(b.rates.read.known || b.rates.write.known);
	assert_true(b.rates.busy_known && b.rates.busy_pct == 25);
	assert_true(totals_differ(&b.before, &b.now));
	/* Whose a disk's bytes are is not known. */
	rate(&b, DISK, false);
	assert_false(b.rates.bytes_known || b.rates.requests_known);
	assert_true(b.rates.busy_known);
	end(&b);
}

/* A process whose counters went into those of the exited ones is not counted again. */
static void test_exited(void **unused)
{
	struct built b;

	(void)unused;
	begin(&b, 1);
	add_row(&b.from, OWNER_EXITED, IO_READ, 1000);
	add_row(&b.from, JOB_OWNER, IO_READ, 4000);
	add_row(&b.to, OWNER_EXITED, IO_READ, 7000);
	rate(&b, 0, false);
	assert_true(b.rates.read_mb_s == 0.001);
	/* And one that is gone without a trace takes nothing away. */
	b.to.row_count = 0;
	add_row(&b.to, OWNER_EXITED, IO_READ, 1000);
	rate(&b, 0, false);
	assert_true(b.rates.read_mb_s >= 0 && b.rates.read_mb_s < 0.001);
	/* No process that moved anything, and none whose bytes may be read. */
	b.to.row_count = 0;
	rate(&b, 0, false);
	assert_true(b.rates.bytes_known && b.rates.read_mb_s == 0);
	b.to.owners[JOB_OWNER].bytes_unknown = true;
	rate(&b, 0, false);
	assert_false(b.rates.bytes_known);
	end(&b);
}

static const char *shown_rates(struct built *b, unsigned int format)
{
	const struct show_context context = { .rows_per_header = 10 };
	FILE *out;

	free(b->text);
	out = open_memstream(&b->text, &b->size);
	assert_non_null(out);
	assert_int_equal(showers[format].rates(out, &b->rates, 0, &context), 0);
	assert_int_equal(fclose(out), 0);
	return b->text;
}

static void test_shown_rates(void **unused)
{
	struct built b;

	(void)unused;
	begin(&b, 0);
	add_disk(&b.from, DISK, "one");
	count(add_disk(&b.to, DISK, "one"), 100, 300, 0, 0);
	rate(&b, DISK, true);
	assert_string_equal(
		shown_rates(&b, FORMAT_CSV),
		"time,device,read_mb_s,write_mb_s,requests_s,read_mean_us,write_mean_us,util_pct,"
		"waiting_pct,blame,on_cpu,in_runqueue,in_storage,in_network,in_ipc,in_lock,in_gpu,"
		"in_sleep,in_other\n"
		"1970-01-01T00:00:00.000Z,one,0.200000,0.000000,50.000000,3000.000000,,0.000000"
		",,,,,,,,,,,\n");
	assert_non_null(
		strstr(shown_rates(&b, FORMAT_TEXT), " read_mean_us write_mean_us util_pct\n"));
	assert_non_null(strstr(b.text, "       3000.0             -      0.0\n"));
	assert_non_null(strstr(shown_rates(&b, FORMAT_JSON),
			       "\"read_mean_us\":3000.0,\"write_mean_us\":null,\"util_pct\":0.0,"));
	rate(&b, DISK, false);
	assert_non_null(strstr(shown_rates(&b, FORMAT_CSV), "Z,one,,,,,,0.000000,,"));
	end(&b);
}

static struct report built_report(struct built *b)
{
	const struct device_choices none = { .count = 0 };
	struct report report;

	begin(b, 3);
	add_disk(&b->from, DISK, "one");
	count(add_disk(&b->to, DISK, "one"), 100, 300, 0, 0);
	b->to.disks[0].busy_ms = 100;
	count(add_disk(&b->from, OTHER_DISK, "still"), 5, 5, 5, 5);
	count(add_disk(&b->to, OTHER_DISK, "still"), 5, 5, 5, 5);
	add_row(&b->from, JOB_OWNER, IO_READ, 1000);
	add_row(&b->to, JOB_OWNER, IO_READ, 5000);
	add_row(&b->from, JOB_OWNER, IO_WRITE, 500);
	add_row(&b->to, JOB_OWNER, IO_WRITE, 500);
	b->to.owners[JOB_OWNER + 2].bytes_unknown = true;
	b->from.has_ledger = b->to.has_ledger = true;
	for (uint32_t i = 0; i < 2; i++) {
		struct thread *thread = sample_add_thread(i ? &b->to : &b->from);

		assert_non_null(thread);
		memset(thread, 0, sizeof(*thread));
		thread->life = THREAD_FREE + 1;
		thread->owner = JOB_OWNER;
		thread->owner_start_boot_ns = JOB_OWNER;
		thread->ns[LEDGER_STORAGE_READ] = 2ULL * i * NS_PER_S;
	}
	assert_int_equal(report_build(&report, &b->from, &b->to, false, &none), 0);
	return report;
}

static void test_report(void **unused)
{
	struct built b;
	struct report report = built_report(&b);
	const struct process_report *p = report_find_process(&report, 40 + JOB_OWNER);

	(void)unused;
	assert_int_equal(report.source, SOURCE_PROC);
	assert_int_equal(report.looks, 100);
	assert_true(fabs(report.margin_pct - 9.8) < 1e-9);
	assert_int_equal(report.job_bytes, 4000);
	assert_int_equal(p->bytes, 4000);
	assert_true(p->io_known && p->unplaced_ns == 0);
	assert_int_equal(ledger_storage_ns(&p->ledger), 2ULL * NS_PER_S);
	assert_true(report_find_process(&report, 41 + JOB_OWNER)->io_known);
	assert_false(report_find_process(&report, 42 + JOB_OWNER)->io_known);
	/* That the requests do not explain the waits is nothing that these samples could say. */
	assert_false(report.above_block);
	assert_int_equal(report.device_count, 1);
	assert_int_equal(report.devices[0].device, DISK);
	assert_int_equal(report.devices[0].read_bytes, 400000);
	assert_int_equal(report.devices[0].requests, 100);
	assert_true(report.devices[0].read.mean_ns == 3 * NS_PER_MS);
	assert_true(report.devices[0].busy_pct == 5);
	assert_false(report.devices[0].coverage_known);
	report_free(&report);
	end(&b);
}

static const char *shown_report(struct built *b, const struct report *report, unsigned int format)
{
	const struct verdicts verdicts = { .count = 0 };
	const struct show_context context = { .source = "proc", .verdicts = &verdicts };
	FILE *out;

	free(b->text);
	out = open_memstream(&b->text, &b->size);
	assert_non_null(out);
	assert_int_equal(showers[format].report(out, report, &context), 0);
	assert_int_equal(fclose(out), 0);
	return b->text;
}

static void expect_null(const json_t *object, const char *const *keys)
{
	for (; *keys; keys++)
		if (!json_is_null(json_object_get(object, *keys)))
			fail_msg("%s is not null", *keys);
}

static void expect_absent(const json_t *object, const char *const *keys)
{
	for (; *keys; keys++)
		if (json_object_get(object, *keys))
			fail_msg("%s is there", *keys);
}

static void test_report_json(void **unused)
{
	static const char *const io_null[] = { "device",    "requests",  "errors",
					       "cause",     "lower",     "queue_us",
					       "device_us", "histogram", NULL };
	static const char *const device_null[] = { "job_read_bytes",
						   "job_write_bytes",
						   "unattributed_read_bytes",
						   "unattributed_write_bytes",
						   "coverage_pct",
						   "write_mean_us",
						   NULL };
	static const char *const absent[] = { "block_s", "files", "unplaced_wait_s", NULL };
	static const char *const job_absent[] = { "block_s", "above_block_layer", NULL };
	struct built b;
	struct report report = built_report(&b);
	json_t *root = json_loads(shown_report(&b, &report, FORMAT_JSON), 0, NULL);
	json_t *process, *io, *device, *sampled, *loss;

	(void)unused;
	assert_non_null(root);
	process = json_array_get(json_object_get(root, "processes"), 0);
	expect_absent(process, absent);
	io = json_object_get(process, "io");
	assert_int_equal(json_array_size(io), 1);
	io = json_array_get(io, 0);
	assert_string_equal(json_string_value(json_object_get(io, "op")), "read");
	assert_int_equal(json_integer_value(json_object_get(io, "bytes")), 4000);
	expect_null(io, io_null);
	process = json_array_get(json_object_get(root, "processes"), 1);
	assert_true(json_is_array(json_object_get(process, "io")));
	process = json_array_get(json_object_get(root, "processes"), 2);
	assert_true(json_is_null(json_object_get(process, "io")));
	device = json_array_get(json_object_get(root, "devices"), 0);
	expect_null(device, device_null);
	assert_int_equal(json_integer_value(json_object_get(device, "read_bytes")), 400000);
	assert_int_equal(json_integer_value(json_object_get(device, "diskstats_read_bytes")),
			 400000);
	assert_int_equal(json_integer_value(json_object_get(device, "requests")), 100);
	assert_true(json_real_value(json_object_get(device, "read_mean_us")) == 3000);
	assert_true(json_real_value(json_object_get(device, "util_pct")) == 5);
	expect_absent(json_object_get(root, "job"), job_absent);
	sampled = json_object_get(json_object_get(root, "window"), "sampled");
	assert_int_equal(json_integer_value(json_object_get(sampled, "looks")), 100);
	assert_true(json_real_value(json_object_get(sampled, "margin_pct")) == 9.8);
	loss = json_object_get(root, "loss");
	assert_int_equal(json_object_size(loss), LOSS_FIGURES_OF_PROC);
	assert_non_null(json_object_get(loss, "processes_dropped"));
	json_decref(root);
	report_free(&report);
	end(&b);
}

static void test_report_of_others(void **unused)
{
	struct built b;
	struct report report = built_report(&b);

	(void)unused;
	assert_non_null(strstr(shown_report(&b, &report, FORMAT_CSV),
			       ",0,loader,,read,,,4000,,,,,,,,,,,,,\n"));
	shown_report(&b, &report, FORMAT_TEXT);
	assert_non_null(strstr(b.text, "read          3.9 KiB\n"));
	assert_non_null(strstr(b.text, "1 process without block I/O\n"));
	assert_non_null(strstr(b.text, "1 process whose block I/O is not known"));
	assert_non_null(strstr(b.text, "sampled, 100 times"));
	assert_non_null(strstr(b.text, "READ MEAN"));
	assert_null(strstr(b.text, "QUEUE"));
	assert_null(strstr(b.text, "file is not known"));
	assert_null(strstr(b.text, "above the block layer"));
	report_free(&report);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk),        cmocka_unit_test(test_all_disks),
		cmocka_unit_test(test_disk_again),  cmocka_unit_test(test_disks_come_and_go),
		cmocka_unit_test(test_job),         cmocka_unit_test(test_exited),
		cmocka_unit_test(test_shown_rates), cmocka_unit_test(test_report),
		cmocka_unit_test(test_report_json), cmocka_unit_test(test_report_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
