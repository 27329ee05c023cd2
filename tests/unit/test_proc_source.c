// SPDX-License-Identifier: BSD-2-Clause
/* The source over /proc, on hosts of four kernels at three instants each (tests/fixtures), without a live system. */
#include "unit.h"

#include <poll.h>

#include "base/units.h"
#include "collect/proc_source.h"
#include "tree.h"

#include "fixture.h"

enum { TRAINER = 1000, WORKERS = 2, FIRST_WORKER = 1001, PIN = 1003, HEARTBEAT = 1004 };

/* One kernel's host, with the source that reads it. */
struct host {
	const char *kernel;
	struct fixture *steps[FIXTURE_STEPS];
	struct proc_source *source;
	struct sample from, to;
};

/* The folders stay: the source has /proc open. */
static void set_step(const struct host *host, int step)
{
	char command[512];

	snprintf(command, sizeof(command), "mkdir -p %s/proc %s/sys && rm -rf %s/proc/* %s/sys/*",
		 root, root, root, root);
	assert_int_equal(system(command), 0);
	fixture_unpack(host->steps[step], root);
}

static void open_host(struct host *host, const char *kernel, const struct target *target)
{
	const struct proc_source_options options = {
		.target = target, .root = root, .looks_per_s = MOST_LOOKS_PER_S, .for_judge = true
	};
	struct fault fault;

	*host = (struct host){ .kernel = kernel };
	for (int i = 0; i < FIXTURE_STEPS; i++)
		host->steps[i] = fixture_read(kernel, i);
	tree_begin("proc-source");
	set_step(host, 0);
	assert_int_equal(proc_source_open(&host->source, &options, &fault), 0);
	assert_int_equal(proc_source_read(host->source, &host->from, &fault), 0);
}

static void look(struct host *host)
{
	struct pollfd fd = { .fd = proc_source_tick_fd(host->source), .events = POLLIN };
	struct fault fault;

	assert_int_equal(poll(&fd, 1, 5000), 1);
	assert_int_equal(proc_source_tick(host->source, &fault), 0);
}

static void next_step(struct host *host, int step)
{
	struct fault fault;

	set_step(host, step);
	look(host);
	assert_int_equal(proc_source_read(host->source, &host->to, &fault), 0);
}

static void close_host(struct host *host)
{
	proc_source_close(host->source);
	sample_free(&host->from);
	sample_free(&host->to);
	for (int i = 0; i < FIXTURE_STEPS; i++)
		fixture_free(host->steps[i]);
	tree_remove();
}

/* The number behind a word in a file of the host, as a person would look it up. */
static uint64_t number_in(const struct host *host, int step, const char *path, const char *before)
{
	const struct fixture_file *file = fixture_find(host->steps[step], path);
	char text[4096];
	const char *at;

	assert_non_null(file);
	snprintf(text, sizeof(text), "%.*s", (int)file->len, file->text);
	at = strstr(text, before);
	assert_non_null(at);
	return strtoull(at + strlen(before), NULL, 10);
}

static ssize_t find_owner(const struct sample *sample, uint32_t pid, const char *comm)
{
	for (size_t i = OWNER_FIRST; i < sample->owner_count; i++) {
		const struct owner *o = &sample->owners[i].owner;

		if (o->kind == OWNER_PROCESS && o->pid == pid &&
		    strncmp(o->comm, comm, COMM_LEN) == 0)
			return (ssize_t)i;
	}
	return -1;
}

static const struct thread *find_thread(const struct sample *sample, uint32_t tid)
{
	for (size_t i = 0; i < sample->thread_count; i++)
		if (sample->threads[i].tid == tid && sample->threads[i].life != THREAD_FREE)
			return &sample->threads[i];
	return NULL;
}

static uint64_t bytes_of(const struct sample *sample, ssize_t owner, uint8_t op)
{
	for (size_t i = 0; i < sample->row_count; i++)
		if (sample->rows[i].key.owner == (uint32_t)owner && sample->rows[i].key.op == op) {
			assert_int_equal(sample->rows[i].requests, 0);
			return sample->rows[i].bytes;
		}
	return 0;
}

/* What its workers read is what their files say, and so is what its threads ran. */
static void check_counters(struct host *host, int step)
{
	for (uint32_t pid = FIRST_WORKER; pid < FIRST_WORKER + WORKERS; pid++) {
		ssize_t owner = find_owner(&host->to, pid, "pt_data_worker");
		const struct thread *then = find_thread(&host->from, pid);
		const struct thread *now = find_thread(&host->to, pid);
		char io[64], schedstat[64];

		snprintf(io, sizeof(io), "proc/%u/io", pid);
		snprintf(schedstat, sizeof(schedstat), "proc/%u/task/%u/schedstat", pid, pid);
		assert_true(owner >= 0 && then && now);
		assert_int_equal(bytes_of(&host->to, owner, IO_READ) -
					 bytes_of(&host->from, owner, IO_READ),
				 number_in(host, step, io, "\nread_bytes: ") -
					 number_in(host, 0, io, "\nread_bytes: "));
		assert_int_equal(now->ns[LEDGER_CPU] - then->ns[LEDGER_CPU],
				 number_in(host, step, schedstat, "") -
					 number_in(host, 0, schedstat, ""));
		assert_int_equal(now->ns[LEDGER_RUNQUEUE] - then->ns[LEDGER_RUNQUEUE],
				 number_in(host, step, schedstat, " ") -
					 number_in(host, 0, schedstat, " "));
	}
}

static void check_disks(const struct host *host, int step)
{
	const struct fixture_file *file = fixture_find(host->steps[step], "proc/diskstats");
	size_t lines = 0, partitions = 0;

	for (size_t i = 0; i < file->len; i++)
		lines += file->text[i] == '\n';
	for (size_t i = 0; i < host->to.disk_count; i++)
		partitions += host->to.disks[i].partition;
	assert_int_equal(host->to.disk_count, lines);
	assert_true(lines > 0);
}

/* The last sleep that its system calls tell: clock_nanosleep() or futex(). */
static uint64_t state_seen(const struct host *host, int step, int tid)
{
	char path[64];

	snprintf(path, sizeof(path), "proc/%d/task/%d/syscall", TRAINER, tid);
	for (; step > 0; step--) {
		const struct fixture_file *file = fixture_find(host->steps[step], path);

		assert_non_null(file);
		if (strncmp(file->text, "230 ", 4) == 0)
			return LEDGER_SLEEP;
		if (strncmp(file->text, "202 ", 4) == 0)
			return LEDGER_LOCK;
	}
	return LEDGER_OTHER;
}

static void test_job(void **unused)
{
	pid_t pid = TRAINER;
	const struct target target = { .pids = &pid, .pid_count = 1 };

	(void)unused;
	for (size_t k = 0; k < sizeof(fixture_kernels) / sizeof(fixture_kernels[0]); k++) {
		struct host host;
		const struct thread *pin, *heartbeat;

		open_host(&host, fixture_kernels[k], &target);
		for (int step = 1; step < FIXTURE_STEPS; step++) {
			next_step(&host, step);
			check_counters(&host, step);
			check_disks(&host, step);
		}
		assert_int_equal(host.to.owner_count, OWNER_FIRST + 1 + WORKERS);
		assert_true(host.to.looks >= 2);
		/* It never ran in between: all of its time is of the one state that it was seen in. */
		pin = find_thread(&host.to, PIN);
		assert_true(pin && pin->ns[LEDGER_LOCK] > 0);
		assert_int_equal(pin->ns[LEDGER_OTHER] + pin->ns[LEDGER_SLEEP], 0);
		heartbeat = find_thread(&host.to, HEARTBEAT);
		assert_true(heartbeat && (heartbeat->word & LEDGER_STATE_MASK) ==
						 state_seen(&host, 2, HEARTBEAT));
		close_host(&host);
	}
}

/* Processes that end, begin, and have the PID of another one; a name that looks like the rest of its line. */
static void test_whole_host(void **unused)
{
	const struct target target = { .all = true };

	(void)unused;
	for (size_t k = 0; k < sizeof(fixture_kernels) / sizeof(fixture_kernels[0]); k++) {
		struct host host;
		ssize_t gone, first, second;

		open_host(&host, fixture_kernels[k], &target);
		next_step(&host, 1);
		next_step(&host, 2);
		gone = find_owner(&host.to, 1101, "gone");
		first = find_owner(&host.to, 1102, "first");
		second = find_owner(&host.to, 1102, "second");
		assert_true(gone >= 0 && first >= 0 && second >= 0 && first != second);
		assert_true(host.to.owners[gone].owner.end_boot_ns);
		assert_true(host.to.owners[first].owner.end_boot_ns);
		assert_int_equal(host.to.owners[second].owner.end_boot_ns, 0);
		assert_true(find_owner(&host.to, 1103, "new") >= 0);
		assert_true(find_owner(&host.to, 1100, "a) R 1 (b\n") >= 0);
		assert_int_equal(find_owner(&host.to, 2, "kthreadd"), -1);
		close_host(&host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_job),
					    cmocka_unit_test(test_whole_host) };

	return cmocka_run_group_tests_name("proc_source", tests, NULL, NULL);
}
