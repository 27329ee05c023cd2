// SPDX-License-Identifier: BSD-2-Clause
/* Processes of a job over time, in a /proc that is made here and changed between rounds. */
#include "unit.h"

#include "base/units.h"
#include "collect/proc_job.h"
#include "tree.h"

/* CLOCK_BOOTTIME is so far ahead of CLOCK_MONOTONIC. */
static const uint64_t suspended_ns = 5000000000;

enum { START_S = 1000 };

static uint64_t now_s;

static int begin(void **unused)
{
	(void)unused;
	tree_begin("proc-job");
	tree_folder("proc");
	now_s = START_S;
	return 0;
}

static int end(void **unused)
{
	(void)unused;
	return tree_remove();
}

struct made {
	int pid, ppid;
	const char *comm;
	char state;
	unsigned int threads;
	unsigned long long start_s;
};

static void write_stat(const char *path, const struct made *made)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "%d (%s) %c %d 1 1 0 -1 4194304 1 0 0 0 7 3 0 0 20 0 %u 0 %llu 0 0 0 0 0 0 0 "
		 "0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n",
		 made->pid, made->comm, made->state, made->ppid, made->threads,
		 made->start_s * 100);
	tree_file(path, text);
}

static void write_thread(int pid, int tid, unsigned long long cpu_ns, unsigned long long wait_ns)
{
	const struct made thread = { tid, 1, "thread", 'S', 1, now_s };
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	write_stat(path, &thread);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	snprintf(text, sizeof(text), "%llu %llu 5\n", cpu_ns, wait_ns);
	tree_file(path, text);
}

static void write_process(const struct made *made)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", made->pid);
	write_stat(path, made);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", made->pid);
	tree_file(path, made->comm);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", made->pid);
	tree_file(path, "0::/job\n");
	write_thread(made->pid, made->pid, 1000, 100);
}

static void make(int pid, int ppid, const char *comm)
{
	const struct made made = { pid, ppid, comm, 'S', 1, now_s };

	write_process(&made);
}

/* As the counters of a program that reads and writes as much, a byte at a time. */
static void set_io(int pid, unsigned long long read_bytes, unsigned long long write_bytes,
		   unsigned long long cancelled)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	snprintf(
		text, sizeof(text),
		"rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\nread_bytes: %llu\nwrite_bytes: %llu\n"
		"cancelled_write_bytes: %llu\n",
		read_bytes, write_bytes, read_bytes, write_bytes, read_bytes, write_bytes,
		cancelled);
	tree_file(path, text);
}

static void unmake(const char *path)
{
	char command[TREE_PATH_LEN];

	snprintf(command, sizeof(command), "rm -r %s/proc/%s", root, path);
	assert_int_equal(system(command), 0);
}

static void open_job(struct proc_job *job, const struct target *target)
{
	const struct proc_job_options options = { .target = target,
						  .root = root,
						  .with_threads = true };
	struct fault fault;

	assert_int_equal(proc_job_open(job, &options, now_s * NS_PER_S, &fault), 0);
}

static void next_round(struct proc_job *job)
{
	struct fault fault;

	now_s++;
	assert_int_equal(
		proc_job_refresh(job, now_s * NS_PER_S - suspended_ns, now_s * NS_PER_S, &fault),
		0);
}

static size_t count(const struct proc_job *job)
{
	size_t found = 0;

	for (size_t i = OWNER_FIRST; i < job->process_count; i++)
		found += job->processes[i].owner.kind == OWNER_PROCESS;
	return found;
}

/* The latest one with this PID. */
static struct proc_process *find(const struct proc_job *job, unsigned int pid)
{
	struct proc_process *found = NULL;

	for (size_t i = OWNER_FIRST; i < job->process_count; i++)
		if (job->processes[i].owner.kind == OWNER_PROCESS &&
		    job->processes[i].owner.pid == pid)
			found = &job->processes[i];
	return found;
}

static void test_descendants(void **unused)
{
	pid_t pid = 20;
	const struct target target = { .pids = &pid, .pid_count = 1 };
	struct proc_job job;
	uint32_t place;

	(void)unused;
	make(20, 1, "trainer");
	make(7, 20, "worker"); /* before its parent */
	make(30, 1, "stranger");
	open_job(&job, &target);
	next_round(&job);
	assert_int_equal(count(&job), 2);
	assert_int_equal(find(&job, 7)->owner.ppid, 20);
	assert_int_equal(find(&job, 7)->owner.trainer, find(&job, 20) - job.processes);
	assert_string_equal(find(&job, 7)->owner.cmdline, "worker");
	assert_string_equal(find(&job, 7)->cgroup, "/job");
	place = (uint32_t)(find(&job, 7) - job.processes);

	/* A child of the worker; the worker's parent ends, and it stays. */
	make(8, 7, "helper");
	next_round(&job);
	assert_int_equal(count(&job), 3);
	unmake("20");
	make(7, 1, "worker");
	next_round(&job);
	assert_int_equal(count(&job), 3);
	assert_int_equal(find(&job, 20)->owner.end_boot_ns, now_s * NS_PER_S);
	assert_int_equal(find(&job, 20)->life, PROC_GONE);
	assert_int_equal(find(&job, 8)->life, PROC_ALIVE);
	assert_true(proc_job_alive(&job));
	assert_int_equal(find(&job, 7) - job.processes, place);
	proc_job_close(&job);
}

static void test_same_pid_again(void **unused)
{
	pid_t pid = 20;
	const struct target target = { .pids = &pid, .pid_count = 1 };
	struct proc_job job;

	(void)unused;
	make(20, 1, "trainer");
	make(21, 20, "worker");
	open_job(&job, &target);
	next_round(&job);
	make(21, 20, "other"); /* started later */
	next_round(&job);
	assert_int_equal(count(&job), 3);
	assert_string_equal(find(&job, 21)->owner.comm, "other");
	make(20, 1, "stranger");
	next_round(&job);
	assert_int_equal(count(&job), 3);
	assert_int_equal(find(&job, 20)->life, PROC_GONE);
	assert_string_equal(find(&job, 20)->owner.comm, "trainer");
	assert_int_equal(job.vanished, 2);
	proc_job_close(&job);
}

static void test_bytes(void **unused)
{
	pid_t pid = 20;
	const struct target target = { .pids = &pid, .pid_count = 1 };
	struct proc_job job;

	(void)unused;
	make(20, 1, "trainer");
	set_io(20, 1000, 500, 0);
	open_job(&job, &target);
	next_round(&job);
	assert_int_equal(find(&job, 20)->read_bytes, 0); /* from now on */
	set_io(20, 1100, 600, 30);
	make(21, 20, "worker");
	set_io(21, 4000, 700, 0);
	next_round(&job);
	assert_int_equal(find(&job, 20)->read_bytes, 100);
	assert_int_equal(find(&job, 20)->write_bytes, 70);
	assert_int_equal(find(&job, 21)->read_bytes, 4000); /* all of it */
	/* Pages that others have written are dropped: nothing is taken back. */
	set_io(20, 1100, 600, 90);
	next_round(&job);
	assert_int_equal(find(&job, 20)->write_bytes, 70);
	proc_job_close(&job);
}

/* The kernel adds a child's counters to those of the parent that waits for it. */
static void test_bytes_of_children_once(void **unused)
{
	pid_t pid = 20;
	const struct target target = { .pids = &pid, .pid_count = 1 };
	struct proc_job job;

	(void)unused;
	make(20, 1, "trainer");
	set_io(20, 100, 0, 0);
	open_job(&job, &target);
	next_round(&job);
	make(21, 20, "worker");
	set_io(21, 4000, 0, 0);
	make(22, 21, "helper");
	set_io(22, 700, 0, 0);
	next_round(&job);
	/* 22 read 50 more, was waited for by 21, and that by 20, which has read 9 more. */
	unmake("21");
	unmake("22");
	set_io(20, 100 + 9 + 4000 + 750, 0, 0);
	next_round(&job);
	assert_int_equal(find(&job, 20)->read_bytes, 9 + 50);
	assert_int_equal(find(&job, 21)->read_bytes, 4000);
	assert_int_equal(find(&job, 22)->read_bytes, 700);
	/* A child that it has not waited for. */
	make(23, 20, "ignored");
	set_io(23, 8000, 0, 0);
	next_round(&job);
	unmake("23");
	set_io(20, 100 + 9 + 4000 + 750 + 10, 0, 0);
	next_round(&job);
	assert_int_equal(find(&job, 20)->read_bytes, 9 + 50 + 10);
	assert_int_equal(find(&job, 23)->read_bytes, 8000);
	proc_job_close(&job);
}

static void test_zombie(void **unused)
{
	pid_t pid = 20;
	const struct target target = { .pids = &pid, .pid_count = 1 };
	struct made leader = { 20, 1, "trainer", 'Z', 2, now_s };
	struct proc_job job;
	uint64_t ended;

	(void)unused;
	make(20, 1, "trainer");
	set_io(20, 100, 0, 0);
	open_job(&job, &target);
	next_round(&job);
	/* Its first thread has ended, another one has not. */
	write_process(&leader);
	next_round(&job);
	assert_int_equal(find(&job, 20)->life, PROC_ALIVE);
	assert_true(proc_job_alive(&job));
	leader.threads = 1;
	write_process(&leader);
	set_io(20, 150, 0, 0);
	assert_false(proc_job_alive(&job));
	next_round(&job);
	assert_int_equal(find(&job, 20)->life, PROC_ZOMBIE);
	assert_int_equal(find(&job, 20)->read_bytes, 50);
	ended = find(&job, 20)->owner.end_boot_ns;
	assert_int_equal(ended, now_s * NS_PER_S);
	unmake("20");
	next_round(&job);
	assert_int_equal(find(&job, 20)->life, PROC_GONE);
	assert_int_equal(find(&job, 20)->owner.end_boot_ns, ended);
	assert_int_equal(job.vanished, 0);
	proc_job_close(&job);
}

static const struct proc_thread *find_thread(const struct proc_job *job, unsigned int tid)
{
	for (size_t i = 0; i < job->thread_count; i++)
		if (job->threads[i].ledger.tid == tid)
			return &job->threads[i];
	fail_msg("no thread %u", tid);
	return NULL;
}

static void test_threads(void **unused)
{
	pid_t pid = 20;
	const struct target target = { .pids = &pid, .pid_count = 1 };
	struct made made = { 20, 1, "trainer", 'S', 2, now_s };
	const struct proc_thread *t;
	struct proc_job job;

	(void)unused;
	write_process(&made);
	write_thread(20, 25, 5000, 50);
	open_job(&job, &target);
	next_round(&job);
	t = find_thread(&job, 25);
	assert_int_equal(t->ledger.ns[LEDGER_CPU], 0);
	assert_int_equal(proc_thread_due_ns(t), 0);

	write_thread(20, 25, 5000 + 300000000, 50 + 200000000);
	write_thread(20, 23, 1000, 0); /* new, between the two */
	made.threads = 3;
	write_process(&made);
	next_round(&job);
	t = find_thread(&job, 25);
	assert_int_equal(t->ledger.ns[LEDGER_CPU], 300000000);
	assert_int_equal(t->ledger.ns[LEDGER_RUNQUEUE], 200000000);
	assert_int_equal(proc_thread_due_ns(t), 500000000);
	assert_int_equal(t->ledger.word >> LEDGER_SHIFT, now_s * NS_PER_S - suspended_ns);
	t = find_thread(&job, 23);
	assert_int_equal(t->ledger.ns[LEDGER_CPU], 1000); /* all of it */
	assert_int_equal(t->ledger.start_ns, (now_s - 1) * NS_PER_S - suspended_ns);
	assert_int_equal(find(&job, 20)->owner.threads, 3);

	unmake("20/task/25");
	made.threads = 2;
	write_process(&made);
	next_round(&job);
	t = find_thread(&job, 25);
	assert_int_equal(t->ledger.life, THREAD_ENDED);
	assert_int_equal(t->ledger.ns[LEDGER_CPU], 300000000);
	assert_int_equal(proc_thread_due_ns(t), 500000000); /* that nobody has taken */
	assert_int_equal(find_thread(&job, 23)->ledger.life, THREAD_ALIVE);
	proc_job_close(&job);
}

static void test_without_schedstat(void **unused)
{
	pid_t pid = 20;
	const struct target target = { .pids = &pid, .pid_count = 1 };
	struct proc_job job;

	(void)unused;
	make(20, 1, "trainer");
	unmake("20/task/20/schedstat");
	open_job(&job, &target);
	next_round(&job);
	/* 7 and 3 ticks, as write_stat() has it. */
	assert_int_equal(find_thread(&job, 20)->cpu_ns, 100000000);
	proc_job_close(&job);
}

static void test_what_cannot_be_read(void **unused)
{
	pid_t pid = 20;
	const struct target target = { .pids = &pid, .pid_count = 1 };
	struct sample sample = { 0 };
	struct proc_job job;

	(void)unused;
	make(20, 1, "trainer");
	make(21, 20, "worker");
	set_io(21, 10, 0, 0);
	open_job(&job, &target);
	next_round(&job);
	tree_file("/proc/21/stat", "21 (wor");
	tree_file("/proc/21/io", "rchar: 1\nwch");
	tree_file("/proc/22/stat", "");
	next_round(&job);
	assert_int_equal(count(&job), 2);
	assert_int_equal(find(&job, 21)->life, PROC_ALIVE);
	assert_true(job.malformed >= 3);
	assert_int_equal(proc_job_copy(&job, &sample), 0);
	assert_int_equal(proc_job_copy_bytes(&job, &sample), 0);
	assert_int_equal(sample.row_count, 0);
	assert_true(sample.owners[find(&job, 20) - job.processes].bytes_unknown);
	assert_false(sample.owners[find(&job, 21) - job.processes].bytes_unknown);
	sample_free(&sample);
	proc_job_close(&job);
}

/* By name, also after an exec; the kernel's own threads are nobody's. */
static void test_by_name(void **unused)
{
	struct target target = { .has_glob = true };
	struct fault fault;
	struct proc_job job;

	(void)unused;
	assert_int_equal(glob_compile("train*", &target.glob, &fault), 0);
	make(20, 1, "trainer");
	make(21, 20, "worker");
	make(30, 1, "bash");
	tree_file("/proc/40/stat",
		  "40 (train) S 2 0 0 0 -1 2097152 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n");
	open_job(&job, &target);
	next_round(&job);
	assert_int_equal(count(&job), 2);
	{
		const struct made exec = { 30, 1, "train2", 'S', 1, START_S };

		write_process(&exec);
	}
	next_round(&job);
	assert_int_equal(count(&job), 3);
	proc_job_close(&job);
}

static void test_by_control_group(void **unused)
{
	char path[] = "/sys/fs/cgroup/job";
	const struct target target = { .has_cgroup = true, .cgroup_path = path };
	struct proc_job job;

	(void)unused;
	make(20, 1, "trainer");
	make(21, 1, "worker");
	make(30, 1, "bash");
	tree_file("/sys/fs/cgroup/job/cgroup.procs", "20\n0\n");
	tree_file("/sys/fs/cgroup/job/inner/cgroup.procs", "21\n");
	open_job(&job, &target);
	for (int i = 0; i < 8; i++)
		next_round(&job);
	assert_int_equal(count(&job), 2);
	tree_file("/sys/fs/cgroup/job/cgroup.procs", "20\n30\n");
	next_round(&job);
	assert_int_equal(count(&job), 3);
	/* One that leaves stays of the job. */
	tree_file("/sys/fs/cgroup/job/cgroup.procs", "20\n");
	next_round(&job);
	assert_int_equal(find(&job, 30)->life, PROC_ALIVE);
	proc_job_close(&job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_descendants, begin, end),
		cmocka_unit_test_setup_teardown(test_same_pid_again, begin, end),
		cmocka_unit_test_setup_teardown(test_bytes, begin, end),
		cmocka_unit_test_setup_teardown(test_bytes_of_children_once, begin, end),
		cmocka_unit_test_setup_teardown(test_zombie, begin, end),
		cmocka_unit_test_setup_teardown(test_threads, begin, end),
		cmocka_unit_test_setup_teardown(test_without_schedstat, begin, end),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_read, begin, end),
		cmocka_unit_test_setup_teardown(test_by_name, begin, end),
		cmocka_unit_test_setup_teardown(test_by_control_group, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
