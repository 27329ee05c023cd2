// SPDX-License-Identifier: BSD-2-Clause
/* /proc/diskstats in the shapes that kernels give it, and in none. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/diskstats.h"

static void read_text(const char *text, struct sample *sample)
{
	char path[] = "/tmp/whystall-diskstats-XXXXXX";
	int fd = mkstemp(path);
	struct fault fault;
	int err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	err = diskstats_read(path, sample, &fault);
	unlink(path);
	assert_int_equal(err, 0);
}

static void test_lines_of_three_ages(void **unused)
{
	struct sample sample = { .disk_count = 0 };

	(void)unused;
	read_text(" 259       0 nvme0n1 10 1 200 5 20 2 400 6 3 77 80 4 0 800 1 5 9\n" /* 5.5 */
		  "   8       0 sda 10 1 200 5 20 2 400 6 0 77 80 4 0 800 1\n"         /* 4.18 */
		  "   8      16 sdb 10 1 200 5 20 2 400 6 0 77 80\n"                   /* before */
		  "   7       0 loop0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 99 99 99\n",   /* to come */
		  &sample);
	assert_int_equal(sample.disk_count, 4);
	assert_string_equal(sample.disks[0].name, "nvme0n1");
	assert_int_equal(sample.disks[0].device, device_number(259, 0));
	assert_int_equal(sample.disks[0].read_bytes, 200 * 512);
	assert_int_equal(sample.disks[0].write_bytes, 400 * 512);
	assert_int_equal(sample.disks[0].in_flight, 3);
	assert_int_equal(sample.disks[0].busy_ms, 77);
	assert_int_equal(sample.disks[0].discard_bytes, 800 * 512);
	assert_int_equal(sample.disks[0].flushes, 5);
	assert_int_equal(sample.disks[1].discard_bytes, 800 * 512);
	assert_int_equal(sample.disks[1].flushes, 0);
	assert_int_equal(sample.disks[2].discards, 0);
	assert_int_equal(sample.disks[3].flushes, 1);
	sample_free(&sample);
}

static void test_what_is_no_line(void **unused)
{
	struct sample sample = { .disk_count = 0 };

	(void)unused;
	read_text("\n"
		  "8 0\n"
		  "8 0 sda 1 2 3\n"
		  "x y sda 10 1 200 5 20 2 400 6 0 77 80\n"
		  "8 0 ../../etc 10 1 200 5 20 2 400 6 0 77 80\n"
		  "8 0 sda 10 1 200 5 20 2 400 6 0 77 -80\n"
		  "8 0 sda 10 1 200 5 20 2 400 6 0 77 18446744073709551616\n"
		  "8 0 sda 10 1 200 5 20 2 400 6 0 77\n"
		  "8 0 sda 10 1 200 5 20 2 400 6 0 77 80 4 x\n"
		  "8 0 sda 10 1 200 5 20 2 400 6 0 77 80\n"
		  "8 16 sdb 10 1 200 5 20 2 400 6 0 77 8",
		  &sample);
	assert_int_equal(sample.disk_count, 1);
	assert_int_equal(sample.disks[0].device, device_number(8, 0));
	sample_free(&sample);
}

static void test_long_names(void **unused)
{
	struct sample sample = { .disk_count = 0 };

	(void)unused;
	read_text("8 0 a23456789012345678901234567890b 1 1 1 1 1 1 1 1 1 1 1\n"
		  "8 0 a23456789012345678901234567890bc 1 1 1 1 1 1 1 1 1 1 1\n",
		  &sample);
	assert_int_equal(sample.disk_count, 1);
	assert_string_equal(sample.disks[0].name, "a23456789012345678901234567890b");
	sample_free(&sample);
}

static void test_no_file(void **unused)
{
	struct sample sample = { .disk_count = 0 };
	struct fault fault;

	(void)unused;
	assert_true(diskstats_read("/nonexistent/diskstats", &sample, &fault) < 0);
	assert_non_null(strstr(fault.text, "/nonexistent/diskstats"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_of_three_ages),
		cmocka_unit_test(test_what_is_no_line),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
