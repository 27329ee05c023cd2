// SPDX-License-Identifier: BSD-2-Clause
/* The files of /proc and /sys as four kernels write them, whole and cut everywhere, and as none does. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/prctl.h>

#include "collect/proc_parse.h"
#include "fixture.h"

enum { KERNELS = sizeof(fixture_kernels) / sizeof(fixture_kernels[0]), TRAINER = 1000 };

/* A parser with its type taken away, and whether what it made of a beginning agrees with what it made of all. */
struct parser {
	const char *files; /* which ones, see fnmatch(3) */
	size_t size;
	int (*parse)(const char *text, size_t len, void *out);
	bool (*agrees)(const void *cut, const void *whole);
};

static int parse_stat(const char *text, size_t len, void *out)
{
	return proc_parse_stat(text, len, out);
}

static bool same_stat(const void *cut, const void *whole)
{
	const struct proc_stat *a = cut, *b = whole;

	return strcmp(a->comm, b->comm) == 0 && a->state == b->state && a->ppid == b->ppid &&
	       a->flags == b->flags && a->major_faults == b->major_faults &&
	       a->user_ticks == b->user_ticks && a->system_ticks == b->system_ticks &&
	       a->threads == b->threads && a->start_ticks == b->start_ticks &&
	       a->block_ticks == b->block_ticks;
}

static int parse_io(const char *text, size_t len, void *out)
{
	return proc_parse_io(text, len, out);
}

static bool same_io(const void *cut, const void *whole)
{
	return memcmp(cut, whole, sizeof(struct proc_io)) == 0;
}

static int parse_schedstat(const char *text, size_t len, void *out)
{
	return proc_parse_schedstat(text, len, out);
}

static bool same_schedstat(const void *cut, const void *whole)
{
	return memcmp(cut, whole, sizeof(struct proc_schedstat)) == 0;
}

static int parse_status(const char *text, size_t len, void *out)
{
	return proc_parse_status(text, len, out);
}

/* Of these fixtures the process's own PID is that of /proc. */
static bool same_status(const void *cut, const void *whole)
{
	const struct proc_status *a = cut, *b = whole;

	return a->tgid == b->tgid && a->pid == b->pid && a->ppid == b->ppid && a->uid == b->uid &&
	       (!a->threads || a->threads == b->threads) &&
	       (!a->switches_known || (a->voluntary_switches == b->voluntary_switches &&
				       a->involuntary_switches == b->involuntary_switches)) &&
	       (!a->kernel_thread_known || a->kernel_thread == b->kernel_thread);
}

static int parse_syscall(const char *text, size_t len, void *out)
{
	return proc_parse_syscall(text, len, out);
}

static bool same_syscall(const void *cut, const void *whole)
{
	const struct proc_syscall *a = cut, *b = whole;

	return a->running == b->running && a->number == b->number &&
	       memcmp(a->args, b->args, sizeof(a->args)) == 0;
}

static int parse_wchan(const char *text, size_t len, void *out)
{
	return proc_parse_wchan(text, len, out);
}

/* Nothing marks the end of a name. */
static bool begins_wchan(const void *cut, const void *whole)
{
	return strncmp(cut, whole, strlen(cut)) == 0;
}

static int parse_pressure(const char *text, size_t len, void *out)
{
	return proc_parse_pressure(text, len, out);
}

static bool same_pressure(const void *cut, const void *whole)
{
	const struct proc_pressure *a = cut, *b = whole;

	return a->some_us == b->some_us && a->some_avg10 == b->some_avg10 &&
	       (!a->full_known || (a->full_us == b->full_us && a->full_avg10 == b->full_avg10));
}

static int parse_io_stat(const char *text, size_t len, void *out)
{
	return proc_parse_io_stat(text, len, out);
}

static bool same_io_stat(const void *cut, const void *whole)
{
	const struct proc_cgroup_ios *a = cut, *b = whole;

	return a->count <= b->count && !a->left_out &&
	       memcmp(a->list, b->list, a->count * sizeof(a->list[0])) == 0;
}

static int parse_blkio(const char *text, size_t len, void *out)
{
	return proc_parse_blkio(text, len, PROC_BLKIO_BYTES, out);
}

static bool same_blkio(const void *cut, const void *whole)
{
	const struct proc_cgroup_ios *a = cut, *b = whole;

	for (size_t i = 0; i < a->count; i++)
		if (a->list[i].device != b->list[i].device ||
		    a->list[i].read_bytes != b->list[i].read_bytes ||
		    (a->list[i].write_bytes && a->list[i].write_bytes != b->list[i].write_bytes))
			return false;
	return a->count <= b->count;
}

static int parse_cpu_stat(const char *text, size_t len, void *out)
{
	return proc_parse_cpu_stat(text, len, out);
}

static bool same_cpu_stat(const void *cut, const void *whole)
{
	const struct proc_cgroup_cpu *a = cut, *b = whole;

	return (!a->usage_known || a->usage_us == b->usage_us) &&
	       (!a->throttle_known || (a->periods == b->periods && a->throttled == b->throttled &&
				       a->throttled_us == b->throttled_us));
}

static int parse_fd_link(const char *text, size_t len, void *out)
{
	return proc_parse_fd_link(text, len, out);
}

/* A cut path is another path, and a cut kind of inode another kind; a number is all there or refused. */
static bool same_fd_link(const void *cut, const void *whole)
{
	const struct proc_fd_link *a = cut, *b = whole;

	return !a->inode || (a->kind == b->kind && a->inode == b->inode);
}

static const struct parser parsers[] = {
	{ "proc/[0-9]*/stat", sizeof(struct proc_stat), parse_stat, same_stat },
	{ "proc/[0-9]*/io", sizeof(struct proc_io), parse_io, same_io },
	{ "proc/[0-9]*/schedstat", sizeof(struct proc_schedstat), parse_schedstat, same_schedstat },
	{ "proc/[0-9]*/status", sizeof(struct proc_status), parse_status, same_status },
	{ "proc/[0-9]*/syscall", sizeof(struct proc_syscall), parse_syscall, same_syscall },
	{ "proc/[0-9]*/wchan", WCHAN_LEN, parse_wchan, begins_wchan },
	{ "*pressure*", sizeof(struct proc_pressure), parse_pressure, same_pressure },
	{ "*/io.stat", sizeof(struct proc_cgroup_ios), parse_io_stat, same_io_stat },
	{ "*/blkio.throttle.*", sizeof(struct proc_cgroup_ios), parse_blkio, same_blkio },
	{ "*/cpu.stat", sizeof(struct proc_cgroup_cpu), parse_cpu_stat, same_cpu_stat },
	{ "proc/[0-9]*/fd/*", sizeof(struct proc_fd_link), parse_fd_link, same_fd_link },
};
enum { PARSERS = sizeof(parsers) / sizeof(parsers[0]) };

/* In memory of exactly its length, so that a read behind it is seen. */
static int parse_exact(const struct parser *parser, const char *text, size_t len, void *out)
{
	char *exact = malloc(len ? len : 1);
	int err;

	assert_non_null(exact);
	memcpy(exact, text, len);
	memset(out, 0, parser->size);
	err = parser->parse(exact, len, out);
	free(exact);
	return err;
}

static void parse_cut_everywhere(const struct parser *parser, const struct fixture_file *file)
{
	void *whole = malloc(parser->size), *cut = malloc(parser->size);

	assert_true(whole && cut);
	if (parse_exact(parser, file->text, file->len, whole))
		fail_msg("%s is refused", file->path);
	for (size_t len = 0; len < file->len; len++)
		if (parse_exact(parser, file->text, len, cut) == 0 && !parser->agrees(cut, whole))
			fail_msg("%s cut at %zu gives another answer", file->path, len);
	free(whole);
	free(cut);
}

static void test_each_file_cut_everywhere(void **unused)
{
	size_t of_parser[PARSERS] = { 0 };

	(void)unused;
	for (int k = 0; k < KERNELS; k++) {
		struct fixture *fixture = fixture_read(fixture_kernels[k], 1);

		for (size_t i = 0; i < fixture->count; i++)
			for (int p = 0; p < PARSERS; p++)
				if (fnmatch(parsers[p].files, fixture->files[i].path, 0) == 0) {
					parse_cut_everywhere(&parsers[p], &fixture->files[i]);
					of_parser[p]++;
				}
		fixture_free(fixture);
	}
	for (int p = 0; p < PARSERS; p++)
		if (!of_parser[p])
			fail_msg("no fixture for %s", parsers[p].files);
}

/* Parse PROC/PID/NAME. */
static void of_process(const struct fixture *fixture, pid_t pid, const char *name,
		       int (*parse)(const char *text, size_t len, void *out), void *out)
{
	const struct fixture_file *file;
	char path[64];

	snprintf(path, sizeof(path), "proc/%d/%s", pid, name);
	file = fixture_find(fixture, path);
	assert_non_null(file);
	assert_int_equal(parse(file->text, file->len, out), 0);
}

static struct proc_stat stat_of(const struct fixture *fixture, pid_t pid)
{
	struct proc_stat stat;

	of_process(fixture, pid, "stat", parse_stat, &stat);
	return stat;
}

static void expect_processes(const struct fixture *fixture, bool tells_kernel_threads)
{
	struct proc_stat trainer = stat_of(fixture, TRAINER), worker = stat_of(fixture, 1001);
	struct proc_status status;

	assert_string_equal(trainer.comm, "python3");
	assert_int_equal(trainer.threads, 3);
	assert_int_equal(trainer.ppid, 1);
	assert_string_equal(worker.comm, "pt_data_worker");
	assert_int_equal(worker.ppid, TRAINER);
	assert_true(worker.start_ticks >= trainer.start_ticks);
	assert_string_equal(stat_of(fixture, 1100).comm, "a) R 1 (b\n");
	assert_int_equal(stat_of(fixture, 1100).ppid, 1);
	of_process(fixture, TRAINER, "status", parse_status, &status);
	assert_int_equal(status.tgid, TRAINER);
	assert_int_equal(status.pid, TRAINER);
	assert_int_equal(status.uid, 1000);
	assert_int_equal(status.threads, 3);
	assert_true(status.switches_known && status.voluntary_switches > 0);
	assert_int_equal(status.kernel_thread_known, tells_kernel_threads);
	assert_false(status.kernel_thread);
	of_process(fixture, 2, "status", parse_status, &status);
	assert_int_equal(status.kernel_thread, tells_kernel_threads);
}

static void test_processes(void **unused)
{
	(void)unused;
	for (int k = 0; k < KERNELS; k++)
		for (int step = 0; step < FIXTURE_STEPS; step++) {
			struct fixture *fixture = fixture_read(fixture_kernels[k], step);

			expect_processes(fixture, k >= 2);
			fixture_free(fixture);
		}
}

static void expect_steps(const struct fixture *before, const struct fixture *after, int step)
{
	struct proc_stat stat = stat_of(after, 1102), stat_before = stat_of(before, 1102);
	struct proc_io io, io_before;
	struct proc_schedstat sched, sched_before;

	of_process(before, 1001, "io", parse_io, &io_before);
	of_process(after, 1001, "io", parse_io, &io);
	assert_true(io.read_bytes > io_before.read_bytes && io.reads > io_before.reads);
	of_process(before, 1001, "schedstat", parse_schedstat, &sched_before);
	of_process(after, 1001, "schedstat", parse_schedstat, &sched);
	assert_true(sched.cpu_ns > sched_before.cpu_ns &&
		    sched.runqueue_ns >= sched_before.runqueue_ns &&
		    sched.slices > sched_before.slices);
	assert_string_equal(stat.comm, step == 2 ? "second" : "first");
	assert_int_equal(stat.start_ticks > stat_before.start_ticks, step == 2);
}

static void test_steps(void **unused)
{
	(void)unused;
	for (int k = 0; k < KERNELS; k++) {
		struct fixture *before = fixture_read(fixture_kernels[k], 0);

		assert_non_null(fixture_find(before, "proc/1101/stat"));
		assert_null(fixture_find(before, "proc/1103/stat"));
		for (int step = 1; step < FIXTURE_STEPS; step++) {
			struct fixture *after = fixture_read(fixture_kernels[k], step);

			assert_null(fixture_find(after, "proc/1101/stat"));
			assert_non_null(fixture_find(after, "proc/1103/stat"));
			expect_steps(before, after, step);
			fixture_free(before);
			before = after;
		}
		fixture_free(before);
	}
}

static struct disk_sample find_disk(const struct fixture_file *file, const char *name)
{
	struct disk_sample disk;

	for (size_t at = 0; at < file->len;) {
		const char *line = file->text + at, *end = memchr(line, '\n', file->len - at);
		size_t len = (size_t)(end - line) + 1;

		assert_int_equal(proc_parse_diskstats_line(line, len, &disk), 0);
		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(proc_parse_diskstats_line(line, cut, &disk), -EINVAL);
		if (strcmp(disk.name, name) == 0)
			return disk;
		at += len;
	}
	fail_msg("no %s", name);
	return disk;
}

static void test_disks(void **unused)
{
	static const char *const names[] = { "nvme0n1p1", "nvme4n1p1", "vda", "nvme5c5n1" };

	(void)unused;
	for (int k = 0; k < KERNELS; k++) {
		struct fixture *fixture = fixture_read(fixture_kernels[k], 2);
		const struct fixture_file *file = fixture_find(fixture, "proc/diskstats");
		struct disk_sample disk;

		assert_non_null(file);
		disk = find_disk(file, names[k]);
		assert_true(disk.reads > 0 && disk.read_bytes > 0 && disk.busy_ms > 0);
		/* With 18 fields there are no flushes, though the disk it was made of had some. */
		if (k == 0)
			assert_int_equal(disk.flushes, 0);
		if (k == 2)
			assert_true(disk.flushes > 0 && disk.discards > 0);
		fixture_free(fixture);
	}
}

static void test_groups(void **unused)
{
	struct fixture *old = fixture_read("6.18", 2), *new = fixture_read("7.x", 2);
	struct proc_cgroup_ios ios = { .count = 0 };
	const struct fixture_file *file;
	struct proc_cgroup_cpu cpu;

	(void)unused;
	file = fixture_find(old, "sys/fs/cgroup/blkio/job/blkio.throttle.io_service_bytes");
	proc_parse_blkio(file->text, file->len, PROC_BLKIO_BYTES, &ios);
	file = fixture_find(old, "sys/fs/cgroup/blkio/job/blkio.throttle.io_serviced");
	proc_parse_blkio(file->text, file->len, PROC_BLKIO_IOS, &ios);
	assert_int_equal(ios.count, 1);
	assert_int_equal(ios.list[0].device, device_number(254, 0));
	assert_true(ios.list[0].read_bytes / ios.list[0].read_ios > 60000);
	assert_true(ios.list[0].write_bytes > 0 && ios.list[0].write_ios > 0);
	file = fixture_find(old, "sys/fs/cgroup/cpu/job/cpu.stat");
	assert_int_equal(proc_parse_cpu_stat(file->text, file->len, &cpu), 0);
	assert_true(cpu.throttle_known && !cpu.usage_known && cpu.periods > 0);
	file = fixture_find(new, "sys/fs/cgroup/job/io.stat");
	ios.count = 0;
	proc_parse_io_stat(file->text, file->len, &ios);
	assert_int_equal(ios.count, 1);
	assert_true(ios.list[0].read_bytes / ios.list[0].read_ios > 60000);
	file = fixture_find(new, "sys/fs/cgroup/job/cpu.stat");
	assert_int_equal(proc_parse_cpu_stat(file->text, file->len, &cpu), 0);
	assert_true(cpu.throttle_known && cpu.usage_known && cpu.throttled_us > 0);
	fixture_free(old);
	fixture_free(new);
}

/* What the process knows of itself in other ways. */
static void test_own_process(void **unused)
{
	char text[8192];
	struct proc_stat stat;
	struct proc_status status;
	ssize_t n;
	int fd;

	(void)unused;
	assert_int_equal(prctl(PR_SET_NAME, ") ( \n)"), 0);
	fd = open("/proc/self/stat", O_RDONLY);
	n = read(fd, text, sizeof(text));
	close(fd);
	assert_int_equal(proc_parse_stat(text, (size_t)n, &stat), 0);
	assert_string_equal(stat.comm, ") ( \n)");
	assert_int_equal(stat.state, 'R');
	assert_int_equal(stat.ppid, getppid());
	fd = open("/proc/self/status", O_RDONLY);
	n = read(fd, text, sizeof(text));
	close(fd);
	assert_int_equal(proc_parse_status(text, (size_t)n, &status), 0);
	assert_int_equal(status.tgid, getpid());
	assert_int_equal(status.uid, getuid());
}

static int try_stat(const char *text)
{
	struct proc_stat stat;

	return proc_parse_stat(text, strlen(text), &stat);
}

#define STAT_REST \
	"1 1 1 0 -1 4 0 0 0 0 5 6 0 0 20 0 1 0 7 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 8 0\n"

static void test_hostile_stat(void **unused)
{
	struct proc_stat stat;
	static const char longest[] = "1 (kworker/u256:0-events_unbound_and_more) I " STAT_REST;

	(void)unused;
	assert_int_equal(try_stat("1 (a) R " STAT_REST), 0);
	assert_int_equal(try_stat("1 (a) R " STAT_REST " and 1 2 3 more\n"), 0);
	assert_int_equal(proc_parse_stat(longest, strlen(longest), &stat), 0);
	assert_string_equal(stat.comm, "kworker/u256:0-");
	assert_int_equal(stat.start_ticks, 7);
	assert_int_equal(stat.block_ticks, 8);
	assert_int_equal(try_stat("1 () R " STAT_REST), 0);
	assert_int_equal(try_stat(""), -EINVAL);
	assert_int_equal(try_stat("1"), -EINVAL);
	assert_int_equal(try_stat("1 ("), -EINVAL);
	assert_int_equal(try_stat("1 )"), -EINVAL);
	assert_int_equal(try_stat("1 (a)"), -EINVAL);
	assert_int_equal(try_stat("1 (a) "), -EINVAL);
	assert_int_equal(try_stat("1 (a) R"), -EINVAL);
	assert_int_equal(try_stat("-1 (a) R " STAT_REST), -EINVAL);
	assert_int_equal(try_stat("1 (a) RR " STAT_REST), -EINVAL);
	assert_int_equal(try_stat("1 (a) R -" STAT_REST), -EINVAL);
	assert_int_equal(try_stat("1 (a) R 999999999999" STAT_REST), -EINVAL);
	assert_int_equal(proc_parse_stat("1 (a\0b) R " STAT_REST, 10 + strlen(STAT_REST), &stat),
			 -EINVAL);
}

static void test_hostile_numbers(void **unused)
{
	struct proc_schedstat sched;
	struct proc_io io;
	static const char good[] = "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\n"
				   "write_bytes: 6\nnew: 9\ncancelled_write_bytes: 7\n";

	(void)unused;
	assert_int_equal(proc_parse_schedstat("18446744073709551615 2 3\n", 25, &sched), 0);
	assert_true(sched.cpu_ns == UINT64_MAX);
	assert_int_equal(proc_parse_schedstat("18446744073709551616 2 3\n", 25, &sched), -EINVAL);
	assert_int_equal(proc_parse_schedstat("99999999999999999999 2 3\n", 25, &sched), -EINVAL);
	assert_int_equal(proc_parse_schedstat("-1 2 3\n", 7, &sched), -EINVAL);
	assert_int_equal(proc_parse_schedstat("+1 2 3\n", 7, &sched), -EINVAL);
	assert_int_equal(proc_parse_schedstat("0x1 2 3\n", 8, &sched), -EINVAL);
	assert_int_equal(proc_parse_schedstat("1 2\n", 4, &sched), -EINVAL);
	assert_int_equal(proc_parse_schedstat("1 2 3", 5, &sched), -EINVAL);
	assert_int_equal(proc_parse_schedstat("1 2 3 4\n", 8, &sched), 0);
	assert_int_equal(proc_parse_io(good, strlen(good), &io), 0);
	assert_int_equal(io.cancelled_write_bytes, 7);
	assert_int_equal(io.read_bytes, 5);
	assert_int_equal(io.write_bytes, 6);
	/* Without the first line. */
	assert_int_equal(proc_parse_io(good + 9, strlen(good) - 9, &io), -EINVAL);
}

static void test_hostile_status(void **unused)
{
	struct proc_status status;
	/* In two PID namespaces, and a name that the kernel had to escape. */
	static const char nested[] = "Name:\ta\\nTgid:\\t9\nTgid:\t70\nPid:\t71\nPPid:\t1\n"
				     "Uid:\t4294967295\t0\t0\t0\nNSpid:\t71\t8\t2\n";
	static const char negative[] = "Tgid:\t-70\nPid:\t71\nPPid:\t1\nUid:\t0\t0\t0\t0\n";

	(void)unused;
	assert_int_equal(proc_parse_status(nested, strlen(nested), &status), 0);
	assert_int_equal(status.tgid, 70);
	assert_int_equal(status.pid, 2);
	assert_true(status.uid == UINT32_MAX);
	assert_int_equal(status.threads, 0);
	assert_false(status.switches_known);
	/* Cut inside NSpid: the outer one. */
	assert_int_equal(proc_parse_status(nested, strlen(nested) - 1, &status), 0);
	assert_int_equal(status.pid, 71);
	assert_int_equal(proc_parse_status(negative, strlen(negative), &status), -EINVAL);
}

static int try_syscall(const char *text, struct proc_syscall *call)
{
	return proc_parse_syscall(text, strlen(text), call);
}

static void test_syscall(void **unused)
{
	struct proc_syscall call;

	(void)unused;
	assert_int_equal(try_syscall("running\n", &call), 0);
	assert_true(call.running);
	assert_int_equal(try_syscall("-1 0x7ffe 0x0\n", &call), 0);
	assert_true(!call.running && call.number == -1);
	assert_int_equal(try_syscall("202 0xffffffffffffffff 0x1 0x2 0x3 0x4 0x5 0x6 0x7\n", &call),
			 0);
	assert_int_equal(call.number, 202);
	assert_true(call.args[0] == UINT64_MAX && call.args[5] == 5);
	assert_int_equal(try_syscall("202 0x1 0x2 0x3 0x4 0x5 0x6 0x7\n", &call), -EINVAL);
	assert_int_equal(try_syscall("202 1 2 3 4 5 6 7 8\n", &call), -EINVAL);
	assert_int_equal(
		try_syscall("202 0x10000000000000000 0x1 0x2 0x3 0x4 0x5 0x6 0x7\n", &call),
		-EINVAL);
	assert_int_equal(try_syscall("-2 0x7ffe 0x0\n", &call), -EINVAL);
	assert_int_equal(try_syscall("runningx\n", &call), -EINVAL);
	assert_int_equal(try_syscall("", &call), -EINVAL);
}

static void test_wchan(void **unused)
{
	char name[WCHAN_LEN], text[WCHAN_LEN + 1];

	(void)unused;
	assert_int_equal(proc_parse_wchan("futex_do_wait", 13, name), 0);
	assert_string_equal(name, "futex_do_wait");
	assert_int_equal(proc_parse_wchan("schedule.isra.0\n", 16, name), 0);
	assert_string_equal(name, "schedule.isra.0");
	assert_int_equal(proc_parse_wchan("0", 1, name), 0);
	assert_string_equal(name, "");
	assert_int_equal(proc_parse_wchan("", 0, name), 0);
	assert_int_equal(proc_parse_wchan("a b", 3, name), -EINVAL);
	assert_int_equal(proc_parse_wchan("\x1b[2J", 4, name), -EINVAL);
	memset(text, 'a', sizeof(text));
	assert_int_equal(proc_parse_wchan(text, WCHAN_LEN - 1, name), 0);
	assert_int_equal(strlen(name), WCHAN_LEN - 1);
	assert_int_equal(proc_parse_wchan(text, WCHAN_LEN, name), -EINVAL);
}

static void test_pressure(void **unused)
{
	struct proc_pressure pressure;
	static const char some[] = "some avg10=12.05 avg60=0.00 avg300=0.00 total=77\n";
	static const char later[] = "some avg10=100.00 avg60=x new=1 total=77 more=2\nfull x\n";
	static const char full[] = "full avg10=0.00 avg60=0.00 avg300=0.00 total=77\n";
	static const char cut[] = "some avg10=0.00 avg60=0.00 avg300=0.00 total=7";
	static const char wrong[] = "some avg10=0.5 avg60=0.00 avg300=0.00 total=7\n";

	(void)unused;
	/* cpu before 5.13 */
	assert_int_equal(proc_parse_pressure(some, strlen(some), &pressure), 0);
	assert_true(pressure.known && !pressure.full_known);
	assert_float_equal(pressure.some_avg10, 12.05, 1e-9);
	assert_int_equal(pressure.some_us, 77);
	assert_int_equal(proc_parse_pressure(later, strlen(later), &pressure), 0);
	assert_float_equal(pressure.some_avg10, 100, 1e-9);
	assert_false(pressure.full_known);
	/* irq has this line alone */
	assert_int_equal(proc_parse_pressure(full, strlen(full), &pressure), -EINVAL);
	assert_int_equal(proc_parse_pressure(cut, strlen(cut), &pressure), -EINVAL);
	assert_int_equal(proc_parse_pressure(wrong, strlen(wrong), &pressure), -EINVAL);
	assert_int_equal(proc_parse_pressure("", 0, &pressure), -EINVAL);
}

static void test_fd_links(void **unused)
{
	static const struct {
		const char *text;
		int err;
		enum proc_fd_kind kind;
		uint64_t inode;
		bool deleted;
	} links[] = {
		{ "socket:[123]", 0, PROC_FD_SOCKET, 123, false },
		{ "pipe:[18446744073709551615]", 0, PROC_FD_PIPE, UINT64_MAX, false },
		{ "anon_inode:[eventpoll]", 0, PROC_FD_EVENTPOLL, 0, false },
		{ "anon_inode:[eventfd]", 0, PROC_FD_EVENTFD, 0, false },
		{ "anon_inode:[timerfd]", 0, PROC_FD_TIMERFD, 0, false },
		{ "anon_inode:inotify", 0, PROC_FD_INOTIFY, 0, false },
		{ "anon_inode:[io_uring]", 0, PROC_FD_IO_URING, 0, false },
		{ "anon_inode:[eventfdx]", 0, PROC_FD_OTHER, 0, false },
		{ "anon_inode:[eventfd", 0, PROC_FD_OTHER, 0, false },
		{ "anon_inode:", 0, PROC_FD_OTHER, 0, false },
		{ "anon_inode:[", 0, PROC_FD_OTHER, 0, false },
		{ "/dev/nvidia0", 0, PROC_FD_GPU, 0, false },
		{ "/dev/dri/renderD128", 0, PROC_FD_GPU, 0, false },
		{ "/data/nvidia0", 0, PROC_FD_PATH, 0, false },
		{ "/tmp/a (deleted)", 0, PROC_FD_PATH, 0, true },
		{ "/tmp/socket:[1]", 0, PROC_FD_PATH, 0, false },
		{ "mnt:[4026531841]", 0, PROC_FD_OTHER, 0, false },
		{ "socket:[]", -EINVAL, 0, 0, false },
		{ "socket:[-1]", -EINVAL, 0, 0, false },
		{ "socket:[12", -EINVAL, 0, 0, false },
		{ "socket:[12]x", -EINVAL, 0, 0, false },
		{ "pipe:[18446744073709551616]", -EINVAL, 0, 0, false },
		{ "", -EINVAL, 0, 0, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		struct proc_fd_link link = { .kind = 0 };

		assert_int_equal(proc_parse_fd_link(links[i].text, strlen(links[i].text), &link),
				 links[i].err);
		assert_int_equal(link.kind, links[i].kind);
		assert_int_equal(link.inode, links[i].inode);
		assert_int_equal(link.deleted, links[i].deleted);
	}
}

static void test_unix_sockets(void **unused)
{
	static const char table[] =
		"Num       RefCount Protocol Flags    Type St Inode Path\n"
		"0000000090a1f93e: 00000003 00000000 00000000 0001 03  2119\n"
		"0000000090a1f93e: 00000002 00000000 00010000 0001 01 2120 /run/x y\n"
		"no row\n"
		"0000000090a1f93e: 00000002 00000000 00010000 0001 01 -5 /run/x\n"
		"0000000090a1f93e: 00000002 00000000 00010000 0001 01 2121 @\x1b[\n"
		"0000000090a1f93e: 00000002 00000000 00010000 0001 01 212";
	const uint64_t expected[] = { 2119, 2120, 2121 };
	size_t at = 0, count = 0;
	uint64_t inode;

	(void)unused;
	while (proc_next_unix_socket(table, strlen(table), &at, &inode)) {
		assert_true(count < 3);
		assert_int_equal(inode, expected[count++]);
	}
	assert_int_equal(count, 3);
	assert_false(proc_next_unix_socket(table, strlen(table), &at, &inode));
	at = 1000;
	assert_false(proc_next_unix_socket(table, strlen(table), &at, &inode));
}

static void test_more_devices_than_room(void **unused)
{
	struct proc_cgroup_ios ios = { .count = 0 };
	char text[8192] = "";

	(void)unused;
	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), "8:%d rbytes=%d wbytes=2 rios=3 wios=4\n", i, i);
	proc_parse_io_stat(text, strlen(text), &ios);
	assert_int_equal(ios.count, PROC_CGROUP_DEVICES);
	assert_int_equal(ios.left_out, 100 - PROC_CGROUP_DEVICES);
	assert_int_equal(ios.list[63].read_bytes, 63);
}

static void test_strange_io_stat(void **unused)
{
	static const char text[] = "7:1 7:0 8:0 rbytes=1 wbytes=2 rios=3 wios=4 cost.usage=5\n"
				   "8:16 \n"
				   "8:32 rbytes=1 wbytes=2\n"
				   "8:48 rbytes=-1 wbytes=2 rios=3 wios=4\n"
				   "99999:1 rbytes=1 wbytes=2 rios=3 wios=4\n"
				   "rbytes=1 wbytes=2 rios=3 wios=4\n"
				   "259:1 wios=4 rios=3 new=x wbytes=2 rbytes=1\n"
				   "259:2 rbytes=1 wbytes=2 rios=3 wios=4";
	struct proc_cgroup_ios ios = { .count = 0 };

	(void)unused;
	proc_parse_io_stat(text, strlen(text), &ios);
	assert_int_equal(ios.count, 2);
	assert_int_equal(ios.list[0].device, device_number(8, 0));
	assert_int_equal(ios.list[1].device, device_number(259, 1));
	assert_int_equal(ios.list[1].write_ios, 4);
}

static void test_cpu_stat(void **unused)
{
	static const char first[] = "nr_periods 5\nnr_throttled 2\nthrottled_time 3000999\n";
	static const char second[] = "usage_usec 9\nuser_usec 4\nsystem_usec 5\n";
	struct proc_cgroup_cpu cpu;

	(void)unused;
	assert_int_equal(proc_parse_cpu_stat(first, strlen(first), &cpu), 0);
	assert_int_equal(cpu.throttled_us, 3000);
	assert_true(cpu.throttle_known && !cpu.usage_known);
	assert_int_equal(proc_parse_cpu_stat(second, strlen(second), &cpu), 0);
	assert_int_equal(cpu.usage_us, 9);
	assert_true(!cpu.throttle_known && cpu.usage_known);
	assert_int_equal(proc_parse_cpu_stat("x\n", 2, &cpu), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_file_cut_everywhere),
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_disks),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_own_process),
		cmocka_unit_test(test_hostile_stat),
		cmocka_unit_test(test_hostile_numbers),
		cmocka_unit_test(test_hostile_status),
		cmocka_unit_test(test_syscall),
		cmocka_unit_test(test_wchan),
		cmocka_unit_test(test_pressure),
		cmocka_unit_test(test_fd_links),
		cmocka_unit_test(test_unix_sockets),
		cmocka_unit_test(test_more_devices_than_room),
		cmocka_unit_test(test_strange_io_stat),
		cmocka_unit_test(test_cpu_stat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
