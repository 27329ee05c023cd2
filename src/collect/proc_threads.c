// SPDX-License-Identifier: BSD-2-Clause
#include "collect/proc_threads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "collect/proc_files.h"

/* So long after it was met, a thread may still give itself a name. */
enum { YOUNG_ROUNDS = 3 };

uint64_t proc_ticks_ns(uint64_t ticks)
{
	static long per_second;

	if (!per_second)
		per_second = sysconf(_SC_CLK_TCK);
	return per_second > 0 ? ticks * (uint64_t)(NS_PER_S / per_second) : 0;
}

static void read_name(struct proc_job *job, const struct proc_process *p, struct thread *ledger)
{
	char path[64], name[COMM_LEN];
	ssize_t n;

	snprintf(path, sizeof(path), "task/%u/comm", ledger->tid);
	n = proc_files_read(job, p, NULL, path, name, sizeof(name));
	if (n <= 0)
		return;
	n -= name[n - 1] == '\n';
	memset(ledger->comm, 0, sizeof(ledger->comm));
	memcpy(ledger->comm, name, (size_t)n < COMM_LEN ? (size_t)n : COMM_LEN - 1);
}

static int read_thread_stat(struct proc_job *job, const struct proc_process *p, uint32_t tid,
			    struct proc_stat *stat)
{
	char path[64], text[PROC_TEXT_LEN];
	ssize_t n;

	snprintf(path, sizeof(path), "task/%u/stat", tid);
	n = proc_files_read(job, p, NULL, path, text, sizeof(text));
	return n < 0 ? (int)n : proc_parse_stat(text, (size_t)n, stat);
}

/* A kernel that keeps no such figures has no file, or zeros. Then there are ticks, and no waits for a processor. */
static int read_times(struct proc_job *job, const struct proc_process *p, struct proc_thread *t)
{
	char path[64], text[PROC_TEXT_LEN];
	struct proc_schedstat times = { 0 };
	struct proc_stat stat;
	ssize_t n;
	int err;

	snprintf(path, sizeof(path), "task/%u/schedstat", t->ledger.tid);
	n = proc_files_read(job, p, &t->schedstat_fd, path, text, sizeof(text));
	if (n >= 0 && proc_parse_schedstat(text, (size_t)n, &times) == 0 && times.cpu_ns) {
		t->cpu_ns = times.cpu_ns;
		t->runqueue_ns = times.runqueue_ns;
		return 0;
	}
	err = read_thread_stat(job, p, t->ledger.tid, &stat);
	if (!err)
		t->cpu_ns = proc_ticks_ns(stat.user_ticks + stat.system_ticks);
	return err;
}

/* Counters of the kernel do not shrink; should one, then what was counted stays. */
static void set_state(struct thread *ledger, enum ledger_state state, uint64_t now, uint64_t base)
{
	if (now > base && now - base > ledger->ns[state])
		ledger->ns[state] = now - base;
}

/* The state that /proc shows between two rounds is OTHER until somebody looks closer; that a thread ran, shows. */
static void count_times(struct proc_thread *t, uint64_t mono_ns)
{
	struct thread *ledger = &t->ledger;
	uint64_t ran = ledger->ns[LEDGER_CPU];

	set_state(ledger, LEDGER_CPU, t->cpu_ns, ledger->cpu_base_ns);
	set_state(ledger, LEDGER_RUNQUEUE, t->runqueue_ns, ledger->delay_base_ns);
	if (ledger->ns[LEDGER_CPU] != ran || !ledger->word)
		ledger->word = mono_ns << LEDGER_SHIFT | LEDGER_OTHER;
	t->read_ns = mono_ns;
}

uint64_t proc_thread_due_ns(const struct proc_thread *thread)
{
	uint64_t due = thread->read_ns - thread->ledger.start_ns;

	for (int i = 0; i < LEDGER_STATES; i++)
		due -= thread->ledger.ns[i] < due ? thread->ledger.ns[i] : due;
	return due;
}

static void end_thread(struct proc_job *job, struct proc_thread *t)
{
	proc_files_drop(job, &t->schedstat_fd);
	t->ledger.life = THREAD_ENDED;
}

static void read_thread(struct proc_job *job, const struct proc_process *p, struct proc_thread *t,
			uint64_t mono_ns)
{
	if (read_times(job, p, t) != 0)
		return;
	count_times(t, mono_ns);
	if (t->age++ < YOUNG_ROUNDS)
		read_name(job, p, &t->ledger);
	t->ledger.trainer = p->owner.trainer;
	t->ledger.leader =
		t->ledger.tid == (p->owner.clock_tid ? p->owner.clock_tid : p->owner.pid);
}

/* A free place; UINT32_MAX when out of memory. */
static uint32_t take_thread(struct proc_job *job)
{
	size_t i = job->thread_count;

	if (job->free_threads) {
		for (i = 0; job->threads[i].ledger.life != THREAD_FREE;)
			i++;
		job->free_threads--;
		return (uint32_t)i;
	}
	if (i == job->thread_capacity) {
		size_t capacity = i ? 2 * i : 64;
		struct proc_thread *threads =
			reallocarray(job->threads, capacity, sizeof(*threads));

		if (!threads)
			return UINT32_MAX;
		job->threads = threads;
		job->thread_capacity = capacity;
	}
	job->thread_count++;
	job->threads[i] = (struct proc_thread){ .ledger.life = THREAD_FREE };
	return (uint32_t)i;
}

/*
 * A thread that started in a process which was of the job by then has all its time in the job; that of others counts
 * from now.
 */
static void meet_thread(struct proc_job *job, struct proc_process *p, struct proc_thread *t,
			uint32_t tid, uint64_t mono_ns, uint64_t boot_ns)
{
	struct proc_stat stat;
	uint64_t start_boot_ns;

	*t = (struct proc_thread){ .schedstat_fd = -1, .read_ns = mono_ns };
	t->ledger.life = THREAD_ALIVE;
	t->ledger.tid = tid;
	t->ledger.owner = (uint32_t)(p - job->processes);
	t->ledger.owner_start_boot_ns = p->owner.start_boot_ns;
	t->ledger.start_ns = mono_ns;
	p->owner.threads++;
	if (read_thread_stat(job, p, tid, &stat) != 0 || read_times(job, p, t) != 0)
		return;
	memcpy(t->ledger.comm, stat.comm, sizeof(t->ledger.comm));
	start_boot_ns = proc_ticks_ns(stat.start_ticks);
	if (start_boot_ns <= boot_ns && (p->from_start || p->age > 1)) {
		t->ledger.start_ns = mono_ns - (boot_ns - start_boot_ns);
	} else {
		t->ledger.cpu_base_ns = t->cpu_ns;
		t->ledger.delay_base_ns = t->runqueue_ns;
	}
}

static int room_for_threads(struct proc_process *p, size_t count)
{
	uint32_t *threads;

	if (count <= p->threads_capacity)
		return 0;
	threads = reallocarray(p->threads, count, sizeof(*threads));
	if (!threads)
		return -ENOMEM;
	p->threads = threads;
	p->threads_capacity = count;
	return 0;
}

/* Make the list of a process's threads that of job->ids: both are in the order of TIDs. */
static int follow_threads(struct proc_job *job, struct proc_process *p, uint64_t mono_ns,
			  uint64_t boot_ns)
{
	const struct proc_ids *ids = &job->ids;
	size_t old_count = p->threads_listed, old = 0;
	uint32_t *before = scratch_take(&job->scratch, old_count + 1, sizeof(*before));

	if (!before || room_for_threads(p, ids->count) != 0)
		return -ENOMEM;
	if (old_count)
		memcpy(before, p->threads, old_count * sizeof(*before));
	p->threads_listed = 0;
	for (size_t i = 0; i < ids->count; i++) {
		uint32_t tid = (uint32_t)ids->list[i], place;

		while (old < old_count && job->threads[before[old]].ledger.tid < tid)
			end_thread(job, &job->threads[before[old++]]);
		if (old < old_count && job->threads[before[old]].ledger.tid == tid) {
			p->threads[p->threads_listed++] = before[old++];
			continue;
		}
		place = take_thread(job);
		if (place == UINT32_MAX)
			return -ENOMEM;
		meet_thread(job, p, &job->threads[place], tid, mono_ns, boot_ns);
		p->threads[p->threads_listed++] = place;
	}
	while (old < old_count)
		end_thread(job, &job->threads[before[old++]]);
	return 0;
}

/* The threads that the process has now, in job->ids. */
static int list_threads(struct proc_job *job, struct proc_process *p)
{
	int fd = p->task_fd, err;

	if (fd < 0)
		fd = proc_files_open(job, p, "task", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	err = proc_ids_of_folder(&job->ids, fd);
	if (p->task_fd < 0)
		p->task_fd = proc_files_keep(job, fd);
	return err;
}

static void end_threads(struct proc_job *job, struct proc_process *process)
{
	for (size_t i = 0; i < process->threads_listed; i++)
		end_thread(job, &job->threads[process->threads[i]]);
	process->threads_listed = 0;
}

static int look_at_threads(struct proc_job *job, struct proc_process *p, uint64_t mono_ns,
			   uint64_t boot_ns)
{
	int err = 0;

	/* One thread is the same one. */
	if (p->thread_count != 1 || p->threads_listed != 1) {
		err = list_threads(job, p);
		if (!err)
			err = follow_threads(job, p, mono_ns, boot_ns);
	}
	for (size_t i = 0; i < p->threads_listed; i++)
		read_thread(job, p, &job->threads[p->threads[i]], mono_ns);
	return err == -ENOMEM ? err : 0;
}

int proc_threads_read(struct proc_job *job, uint64_t mono_ns, uint64_t boot_ns)
{
	int err = 0;

	for (size_t i = OWNER_FIRST; !err && i < job->process_count; i++) {
		struct proc_process *p = &job->processes[i];

		if (p->owner.kind != OWNER_PROCESS)
			continue;
		/* Those of a zombie have their last figures. */
		if (p->life == PROC_ALIVE || (p->life == PROC_ZOMBIE && p->threads_listed))
			err = look_at_threads(job, p, mono_ns, boot_ns);
		if (p->life != PROC_ALIVE)
			end_threads(job, p);
	}
	return err;
}
