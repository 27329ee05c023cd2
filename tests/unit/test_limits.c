// SPDX-License-Identifier: BSD-2-Clause
/* What a process may have, by files as the kernel writes them. */
#include "unit.h"

#include "collect/limits.h"
#include "tree.h"

enum { PID = 42 };

static int begin(void **unused)
{
	(void)unused;
	tree_begin("limits");
	tree_file("/proc/self/mounts", "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n"
				       "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu,cpuacct 0 0\n"
				       "cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0\n"
				       "cgroup /sys/fs/cgroup/blkio cgroup rw,blkio 0 0\n"
				       "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
				       "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n");
	tree_file("/proc/42/status",
		  "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,8\nMems:\t0\n");
	tree_file("/proc/42/cgroup",
		  "7:blkio:/job\n1:cpu,cpuacct:/a/b\n3:cpuset:/\n0::/job/inner\n");
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	return tree_remove();
}

/* Of a process, with nothing known before. */
static int read_fresh(struct limits *limits, pid_t pid)
{
	struct limits_reader *reader = limits_reader_new(root);
	int err;

	assert_non_null(reader);
	err = limits_read(reader, limits, pid);
	limits_reader_free(reader);
	return err;
}

static struct limits found(void)
{
	struct limits limits;

	assert_int_equal(read_fresh(&limits, PID), 0);
	return limits;
}

static void test_lists(void **unused)
{
	(void)unused;
	assert_int_equal(limits_count_cpus("0-3,8\n"), 5);
	assert_int_equal(limits_count_cpus("0"), 1);
	assert_int_equal(limits_count_cpus(""), 0);
	assert_int_equal(limits_count_cpus("3-1"), 0);
	assert_int_equal(limits_count_cpus("0-"), 0);
	assert_int_equal(limits_count_cpus("0-99999999999"), 0);
	assert_int_equal(limits_count_cpus("x"), 0);
}

static void test_nothing_is_limited(void **unused)
{
	struct limits limits = found();

	(void)unused;
	assert_float_equal(limits.cpus, 5, 1e-9);
	assert_int_equal(limits.device_count, 0);
	assert_true(read_fresh(&limits, 43) < 0);
}

/* The least of a process's group and those that this is in. */
static void test_processors(void **unused)
{
	(void)unused;
	tree_file("/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1\n");
	tree_file("/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n");
	assert_float_equal(found().cpus, 5, 1e-9);
	tree_file("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "250000\n");
	tree_file("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
	assert_float_equal(found().cpus, 2.5, 1e-9);
	tree_file("/sys/fs/cgroup/unified/job/cpu.max", "max 100000\n");
	assert_float_equal(found().cpus, 2.5, 1e-9);
	tree_file("/sys/fs/cgroup/unified/job/cpu.max", "150000 100000\n");
	assert_float_equal(found().cpus, 1.5, 1e-9);
	/* Of another one. */
	tree_file("/sys/fs/cgroup/unified/other/cpu.max", "50000 100000\n");
	assert_float_equal(found().cpus, 1.5, 1e-9);
}

/* How long a quota was used up, in microseconds or, in version 1, nanoseconds; not where there is no quota. */
static void test_held_back(void **unused)
{
	(void)unused;
	tree_remove();
	begin(NULL);
	tree_file("/sys/fs/cgroup/cpu/a/b/cpu.stat",
		  "nr_periods 5\nnr_throttled 1\nthrottled_time 7\n");
	assert_false(found().held_back_known);
	tree_file("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "250000\n");
	tree_file("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
	assert_false(found().held_back_known);
	tree_file("/sys/fs/cgroup/cpu/a/cpu.stat",
		  "nr_periods 5\nnr_throttled 1\nthrottled_time 3000\n");
	assert_true(found().held_back_known);
	assert_int_equal(found().held_back_ns, 3000);
	tree_remove();
	begin(NULL);
	tree_file("/sys/fs/cgroup/unified/job/cpu.max", "150000 100000\n");
	tree_file("/sys/fs/cgroup/unified/job/cpu.stat", "usage_usec 9\nthrottled_usec 4\n");
	assert_int_equal(found().held_back_ns, 4000);
}

static void test_devices(void **unused)
{
	struct limits limits;

	(void)unused;
	tree_file(
		"/sys/fs/cgroup/unified/job/io.max",
		"8:16 rbps=2097152 wbps=max riops=max wiops=120\n8:0 rbps=max wbps=1 riops=max wiops=max\n");
	limits = found();
	assert_int_equal(limits.device_count, 1);
	assert_int_equal(limits.devices[0].device, 8 << 20 | 16);
	assert_float_equal(limits.devices[0].read_bytes_s, 2097152, 1e-9);
	tree_file("/sys/fs/cgroup/unified/job/inner/io.max", "8:16 rbps=1048576 wbps=max\n");
	tree_file("/sys/fs/cgroup/blkio/job/blkio.throttle.read_bps_device",
		  "7:3 500000\n8:16 9999999\n");
	limits = found();
	assert_int_equal(limits.device_count, 2);
	assert_float_equal(limits.devices[0].read_bytes_s + limits.devices[1].read_bytes_s, 1548576,
			   1e-9);
	/* In version 1 only its own group's counts. */
	tree_file("/sys/fs/cgroup/blkio/blkio.throttle.read_bps_device", "7:3 5\n");
	limits = found();
	assert_float_equal(limits.devices[0].read_bytes_s + limits.devices[1].read_bytes_s, 1548576,
			   1e-9);
}

static void expect_room(uint64_t bytes, const char *group)
{
	struct memory_room memory = found().memory;

	assert_true(memory.known);
	assert_int_equal(memory.bytes, bytes);
	assert_int_equal(memory.host_bytes, 4000000 * 1024ULL);
	assert_string_equal(memory.group, group);
}

/* What a group's limit leaves beside what is no page of a file; the least of it, and of what the groups above leave. */
static void test_memory(void **unused)
{
	static const char inner[] = "/sys/fs/cgroup/unified/job/inner";
	static const char group[] = "/sys/fs/cgroup/memory/v1";

	(void)unused;
	assert_false(found().memory.known);
	tree_file("/proc/meminfo",
		  "MemTotal: 8000000 kB\nMemFree: 5 kB\nMemAvailable: 4000000 kB\n");
	expect_room(4000000 * 1024ULL, "");
	/* 1000000000 - (700000000 - 300000000 - 200000000) */
	tree_file("/sys/fs/cgroup/unified/job/inner/memory.max", "1000000000\n");
	tree_file("/sys/fs/cgroup/unified/job/inner/memory.current", "700000000\n");
	tree_file(
		"/sys/fs/cgroup/unified/job/inner/memory.stat",
		"anon 100000000\nfile 550000000\ninactive_anon 1\nactive_anon 2\ninactive_file 300000000\nactive_file 200000000\n");
	expect_room(800000000, inner);
	tree_file("/sys/fs/cgroup/unified/job/memory.max", "max\n");
	tree_file("/sys/fs/cgroup/unified/job/memory.current", "900000000\n");
	expect_room(800000000, inner);
	/* Held back above memory.high, which is as good as a limit: 600000000 - 100000000. */
	tree_file("/sys/fs/cgroup/unified/job/memory.high", "600000000\n");
	tree_file("/sys/fs/cgroup/unified/job/memory.stat", "inactive_file 800000000\n");
	expect_room(500000000, "/sys/fs/cgroup/unified/job");
	/* More is used than the limit is by now. */
	tree_file("/sys/fs/cgroup/unified/job/inner/memory.max", "100000000\n");
	expect_room(0, inner);
	/* Version 1; the number is that of no limit. */
	tree_file("/proc/42/cgroup", "4:memory:/v1/job\n");
	expect_room(4000000 * 1024ULL, "");
	tree_file("/sys/fs/cgroup/memory/v1/job/memory.limit_in_bytes", "9223372036854771712\n");
	tree_file("/sys/fs/cgroup/memory/v1/job/memory.usage_in_bytes", "900\n");
	tree_file("/sys/fs/cgroup/memory/v1/memory.limit_in_bytes", "70000000\n");
	tree_file("/sys/fs/cgroup/memory/v1/memory.usage_in_bytes", "60000000\n");
	tree_file(
		"/sys/fs/cgroup/memory/v1/memory.stat",
		"active_file 9\ninactive_file 9\ntotal_active_file 20000000\ntotal_inactive_file 10000000\n");
	expect_room(40000000, group);
	tree_file("/proc/42/cgroup",
		  "7:blkio:/job\n1:cpu,cpuacct:/a/b\n3:cpuset:/\n0::/job/inner\n");
	tree_file("/sys/fs/cgroup/unified/job/inner/memory.max", "x\n");
	tree_file("/sys/fs/cgroup/unified/job/memory.high", "");
	tree_file("/sys/fs/cgroup/unified/job/memory.max", "-\n");
	expect_room(4000000 * 1024ULL, "");
}

/* More than there is room for, and what is none. */
static void test_strange_files(void **unused)
{
	char text[8192] = "";
	struct limits limits;

	(void)unused;
	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), "9:%d 1000\n", i);
	tree_file("/sys/fs/cgroup/blkio/job/blkio.throttle.read_bps_device", text);
	assert_int_equal(found().device_count, LIMITED_DEVICES);
	tree_file("/sys/fs/cgroup/blkio/job/blkio.throttle.read_bps_device",
		  "\n:\n9:1\n9:1 \n9:1 max\n99999:1 5\n9:1 -5\n9:1 0\nx");
	tree_file("/sys/fs/cgroup/unified/job/io.max", "8:16 rbps=\n8:16");
	tree_file("/sys/fs/cgroup/unified/job/inner/io.max", "");
	tree_file("/sys/fs/cgroup/unified/job/cpu.max", "0 0\n");
	tree_file("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "x");
	limits = found();
	assert_int_equal(limits.device_count, 0);
	assert_float_equal(limits.cpus, 5, 1e-9);
	/* A name that is longer than the room for it, and one that leads elsewhere. */
	memset(text, 'a', sizeof(text) - 1);
	memcpy(text, "0::/", 4);
	text[sizeof(text) - 1] = '\0';
	tree_file("/proc/42/cgroup", text);
	assert_int_equal(found().device_count, 0);
	tree_file("/sys/fs/cgroup/io.max", "8:16 rbps=1 wbps=max\n");
	tree_file("/proc/42/cgroup", "0::/..\n");
	assert_int_equal(found().device_count, 0);
	tree_file("/proc/42/cgroup", "::::\n\n0:\n0::\n0");
	assert_int_equal(found().device_count, 0);
	tree_file("/proc/44/status", "Name:\tx\nState:\tZ (zombie)\nCpus_allowed_list:\t0\n");
	assert_true(read_fresh(&limits, 44) < 0);
	tree_file("/proc/42/status", "Cpus_allowed_list");
	assert_float_equal(found().cpus, 0, 1e-9);
}

/* What processes have in common is read once, until a new look begins; what is their own, for each. */
static void test_one_look_at_many(void **unused)
{
	struct limits_reader *reader = limits_reader_new(root);
	struct limits limits;

	(void)unused;
	tree_remove();
	begin(NULL);
	tree_file("/proc/45/status", "Name:\ty\nCpus_allowed_list:\t0-1\n");
	tree_file("/proc/45/cgroup", "0::/job/inner\n");
	tree_file("/proc/46/status", "Name:\tz\nCpus_allowed_list:\t0-7\n");
	tree_file("/proc/46/cgroup", "1:cpu,cpuacct:/job/inner\n0::/other\n");
	tree_file("/sys/fs/cgroup/unified/job/inner/io.max", "8:16 rbps=1000 wbps=max\n");
	tree_file("/sys/fs/cgroup/unified/job/cpu.max", "150000 100000\n");
	tree_file("/sys/fs/cgroup/unified/other/io.max", "8:32 rbps=2000 wbps=max\n");
	assert_non_null(reader);
	assert_int_equal(limits_read(reader, &limits, PID), 0);
	assert_float_equal(limits.cpus, 1.5, 1e-9);
	tree_file("/sys/fs/cgroup/unified/job/cpu.max", "50000 100000\n");
	assert_int_equal(limits_read(reader, &limits, 45), 0);
	assert_float_equal(limits.cpus, 1.5, 1e-9);
	assert_int_equal(limits.device_count, 1);
	assert_int_equal(limits.devices[0].device, 8 << 20 | 16);
	/* In no group of theirs, though one has the same name in another hierarchy. */
	assert_int_equal(limits_read(reader, &limits, 46), 0);
	assert_float_equal(limits.cpus, 8, 1e-9);
	assert_int_equal(limits.device_count, 1);
	assert_int_equal(limits.devices[0].device, 8 << 20 | 32);
	limits_reader_begin(reader);
	assert_int_equal(limits_read(reader, &limits, 45), 0);
	assert_float_equal(limits.cpus, 0.5, 1e-9);
	limits_reader_free(reader);
}

/* More groups than are kept. */
static void test_many_groups(void **unused)
{
	struct limits_reader *reader = limits_reader_new(root);
	char path[64], text[64];
	struct limits limits;

	(void)unused;
	assert_non_null(reader);
	for (int i = 0; i < 100; i++) {
		sprintf(path, "/sys/fs/cgroup/unified/task%d/io.max", i);
		sprintf(text, "8:16 rbps=%d wbps=max\n", 1000 + i);
		tree_file(path, text);
		sprintf(text, "0::/task%d\n", i);
		tree_file("/proc/45/cgroup", text);
		assert_int_equal(limits_read(reader, &limits, 45), 0);
		assert_float_equal(limits.devices[0].read_bytes_s, 1000 + i, 1e-9);
	}
	limits_reader_free(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),       cmocka_unit_test(test_nothing_is_limited),
		cmocka_unit_test(test_processors),  cmocka_unit_test(test_devices),
		cmocka_unit_test(test_memory),      cmocka_unit_test(test_strange_files),
		cmocka_unit_test(test_held_back),   cmocka_unit_test(test_one_look_at_many),
		cmocka_unit_test(test_many_groups),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
