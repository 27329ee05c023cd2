// SPDX-License-Identifier: BSD-2-Clause
#include "collect/proc_job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/order.h"
#include "base/text.h"
#include "collect/glob.h"
#include "collect/proc_bytes.h"
#include "collect/proc_files.h"
#include "collect/proc_threads.h"
#include "collect/procfs.h"

static const uint64_t pf_kthread = 0x00200000; /* include/linux/sched.h */

/* So long after its start, a process may be between fork and exec. */
static const uint64_t young_ns = 2500000000;

enum {
	/* One process in so many that are not of the job is looked at again in a round: another may have its PID by now. */
	SLICES = 32,
	/* Of ended ones, so many keep places of their own; their sums go to OWNER_EXITED, and their threads' to them. */
	KEPT_PROCESSES = 4096,
	KEPT_THREADS = 16384,
};

int proc_job_open(struct proc_job *job, const struct proc_job_options *options, uint64_t boot_ns,
		  struct fault *fault)
{
	char path[PATH_MAX];

	*job = (struct proc_job){ .target = options->target,
				  .root = options->root,
				  .with_threads = options->with_threads,
				  .opened_boot_ns = boot_ns,
				  .proc_fd = -1 };
	/* Files that are kept open are those of the kernel, not of a tree that was made. */
	job->keep_max = *job->root ? 0 : proc_files_room();
	snprintf(path, sizeof(path), "%s/proc", job->root);
	job->proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job->proc_fd < 0)
		return fault_set_exit(fault, EXIT_NOT_SUPPORTED, -errno, "cannot read %s: %s", path,
				      strerror(errno));
	job->processes = calloc(OWNER_FIRST, sizeof(*job->processes));
	if (!job->processes)
		return fault_set(fault, -ENOMEM, "out of memory");
	job->process_count = job->process_capacity = OWNER_FIRST;
	for (int i = 0; i < OWNER_FIRST; i++)
		job->processes[i].owner.kind = OWNER_FIXED;
	return 0;
}

static void know(struct proc_known *known, pid_t pid)
{
	*known = (struct proc_known){ .pid = pid };
}

static int room_for_known(struct proc_job *job, size_t count)
{
	struct proc_known *larger;

	if (count <= job->known_capacity)
		return 0;
	larger = reallocarray(job->known, 2 * count, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	job->known = larger;
	job->known_capacity = 2 * count;
	return 0;
}

/* Make the table of PIDs that of job->ids; members whose PID is not listed any more have ended. */
static int follow_pids(struct proc_job *job)
{
	const struct proc_ids *ids = &job->ids;
	struct proc_known *now = scratch_take(&job->scratch, ids->count + 1, sizeof(*now));
	size_t old = 0;

	if (!now || room_for_known(job, ids->count + 1))
		return -ENOMEM;
	for (size_t i = 0; i <= ids->count; i++) {
		pid_t pid = i < ids->count ? ids->list[i] : INT_MAX;

		for (; old < job->known_count && job->known[old].pid < pid; old++)
			if (job->known[old].member)
				proc_job_end(job, &job->processes[job->known[old].member]);
		if (i == ids->count)
			break;
		if (old < job->known_count && job->known[old].pid == pid)
			now[i] = job->known[old++];
		else
			know(&now[i], pid);
	}
	memcpy(job->known, now, ids->count * sizeof(*now));
	job->known_count = ids->count;
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	return compare_numbers((uint64_t)((const struct proc_known *)a)->pid,
			       (uint64_t)((const struct proc_known *)b)->pid);
}

static struct proc_known *find_known(const struct proc_job *job, pid_t pid)
{
	const struct proc_known key = { .pid = pid };

	return job->known_count ? bsearch(&key, job->known, job->known_count, sizeof(key), by_pid) :
				  NULL;
}

/* The member with this PID that is alive, or its place; 0: there is none. */
static uint32_t find_member(const struct proc_job *job, pid_t pid)
{
	const struct proc_known *known = find_known(job, pid);

	return known ? known->member : 0;
}

static int read_stat(struct proc_job *job, struct proc_process *p, struct proc_stat *stat)
{
	char text[PROC_TEXT_LEN];
	ssize_t n = proc_files_read(job, p, &p->stat_fd, "stat", text, sizeof(text));
	int err = n < 0 ? (int)n : proc_parse_stat(text, (size_t)n, stat);

	if (err == -EINVAL)
		job->malformed++;
	return err;
}

/* Without a descriptor of its own, its PID may be another's by now. */
bool proc_job_is_there(struct proc_job *job, struct proc_process *process)
{
	struct proc_stat stat;
	int err = read_stat(job, process, &stat);

	return err ? !proc_files_is_gone(err) : stat.start_ticks == process->start_ticks;
}

static void drop_files(struct proc_job *job, struct proc_process *p)
{
	proc_files_drop(job, &p->folder_fd);
	proc_files_drop(job, &p->stat_fd);
	proc_files_drop(job, &p->io_fd);
	proc_files_drop(job, &p->task_fd);
}

void proc_job_end(struct proc_job *job, struct proc_process *process)
{
	struct proc_known *known;

	if (process->life == PROC_GONE)
		return;
	known = find_known(job, (pid_t)process->owner.pid);
	if (known && known->member == process - job->processes)
		know(known, known->pid);
	job->vanished += process->life == PROC_ALIVE;
	job->gone++;
	if (!process->owner.end_boot_ns)
		process->owner.end_boot_ns = job->now_boot_ns;
	process->life = PROC_GONE;
	drop_files(job, process);
}

/* What exec may have changed, and control groups. */
static void read_words(struct proc_job *job, struct proc_process *p)
{
	char text[8192];
	ssize_t n = proc_files_read(job, p, NULL, "cmdline", p->owner.cmdline,
				    sizeof(p->owner.cmdline) - 1);

	if (n <= 0)
		return; /* it has ended, and has neither any more */
	p->owner.cmdline_len = (uint32_t)n;
	n = proc_files_read(job, p, NULL, "cgroup", text, sizeof(text) - 1);
	if (n < 0)
		return;
	text[n] = '\0';
	procfs_parse_cgroup(text, p->cgroup, sizeof(p->cgroup));
}

/* A leading thread may end before the others. */
static bool has_ended(const struct proc_stat *stat)
{
	return (stat->state == 'Z' || stat->state == 'X') && stat->threads <= 1;
}

/* May it be between fork and exec? */
static bool starts_young(const struct proc_job *job, uint64_t start_boot_ns)
{
	return start_boot_ns + young_ns > job->now_boot_ns;
}

static bool is_young(const struct proc_job *job, const struct proc_process *p)
{
	return starts_young(job, p->owner.start_boot_ns);
}

static void look_at_member(struct proc_job *job, struct proc_process *p)
{
	struct proc_stat stat;
	int err = read_stat(job, p, &stat);
	uint32_t parent;

	if (proc_files_is_gone(err) || (!err && stat.start_ticks != p->start_ticks)) {
		proc_job_end(job, p);
		return;
	}
	if (err)
		return;
	p->thread_count = stat.threads;
	if (p->life == PROC_ALIVE && has_ended(&stat)) {
		p->life = PROC_ZOMBIE;
		p->owner.end_boot_ns = job->now_boot_ns;
	}
	p->age++;
	if (p->age == 1 || is_young(job, p) || memcmp(p->owner.comm, stat.comm, COMM_LEN) != 0)
		read_words(job, p);
	memcpy(p->owner.comm, stat.comm, COMM_LEN);
	/* Whoever waits for it now; PPID of the report stays what it was. */
	parent = find_member(job, stat.ppid);
	p->parent = parent != (uint32_t)(p - job->processes) ? parent : 0;
}

static void forget_thread(struct proc_job *job, struct proc_thread *t)
{
	struct thread *ledger = &t->ledger;
	struct owner *o = &job->processes[ledger->owner].owner;

	for (int i = 0; i < LEDGER_STATES; i++) {
		o->ended_ns[i] += ledger->ns[i];
		o->ended_waiting_ns[i] += ledger->waiting_ns[i];
	}
	ledger->life = THREAD_FREE;
	job->free_threads++;
}

static void forget_process(struct proc_job *job, struct proc_process *p)
{
	struct proc_process *exited = &job->processes[OWNER_EXITED];
	uint32_t place = (uint32_t)(p - job->processes);

	for (size_t i = 0; i < job->thread_count; i++)
		if (job->threads[i].ledger.life != THREAD_FREE &&
		    job->threads[i].ledger.owner == place)
			forget_thread(job, &job->threads[i]);
	for (int i = 0; i < LEDGER_STATES; i++) {
		exited->owner.ended_ns[i] += p->owner.ended_ns[i];
		exited->owner.ended_waiting_ns[i] += p->owner.ended_waiting_ns[i];
	}
	exited->owner.threads++;
	exited->read_bytes += p->read_bytes;
	exited->write_bytes += p->write_bytes;
	exited->io_known = exited->io_known || p->io_known;
	free(p->threads);
	*p = (struct proc_process){ .owner.kind = OWNER_FREE };
	job->free_processes++;
}

/* Give places back whose end a sample has shown, where there are too many. */
static void tidy(struct proc_job *job)
{
	if (job->thread_count - job->free_threads > KEPT_THREADS)
		for (size_t i = 0; i < job->thread_count; i++)
			if (job->threads[i].ledger.life == THREAD_ENDED && job->threads[i].shown)
				forget_thread(job, &job->threads[i]);
	if (job->process_count - job->free_processes > KEPT_PROCESSES)
		for (size_t i = OWNER_FIRST; i < job->process_count; i++)
			if (job->processes[i].owner.kind == OWNER_PROCESS &&
			    job->processes[i].life == PROC_GONE && job->processes[i].shown)
				forget_process(job, &job->processes[i]);
}

static struct proc_process *take_process(struct proc_job *job)
{
	size_t i = OWNER_FIRST;

	if (job->free_processes) {
		while (job->processes[i].owner.kind != OWNER_FREE)
			i++;
		job->free_processes--;
		return &job->processes[i];
	}
	i = job->process_count;
	if (i == job->process_capacity) {
		struct proc_process *processes =
			reallocarray(job->processes, 2 * i, sizeof(*processes));

		if (!processes)
			return NULL;
		job->processes = processes;
		job->process_capacity = 2 * i;
	}
	job->process_count++;
	return &job->processes[i];
}

/* A process that may belong to the job. */
struct candidate {
	struct proc_known *known;
	struct proc_stat stat;
	bool is_new; /* nobody has looked at it before */
	bool done;
};

/* Files of a process that has no place yet. */
static int read_candidate(struct proc_job *job, struct candidate *candidate)
{
	struct proc_process process = {
		.owner.pid = (uint32_t)candidate->known->pid,
		.folder_fd = -1,
	};
	char text[PROC_TEXT_LEN];
	ssize_t n = proc_files_read(job, &process, NULL, "stat", text, sizeof(text));
	int err = n < 0 ? (int)n : proc_parse_stat(text, (size_t)n, &candidate->stat);
	struct proc_known *known = candidate->known;

	if (err == -EINVAL)
		job->malformed++;
	if (err)
		return err;
	if (known->start_ticks != candidate->stat.start_ticks)
		known->age = 0;
	candidate->is_new = known->age == 0;
	known->start_ticks = candidate->stat.start_ticks;
	return 0;
}

static bool is_due(const struct proc_job *job, const struct proc_known *known)
{
	return !known->member &&
	       (known->age == 0 || starts_young(job, proc_ticks_ns(known->start_ticks)) ||
		(uint64_t)known->pid % SLICES == job->rounds % SLICES ||
		(job->target->has_cgroup && proc_ids_have(&job->cgroup_ids, known->pid)));
}

static bool is_target(const struct proc_job *job, const struct candidate *candidate)
{
	const struct target *target = job->target;
	pid_t pid = candidate->known->pid;

	if (target->all)
		return true;
	if (target->has_cgroup && proc_ids_have(&job->cgroup_ids, pid))
		return true;
	if (target->has_glob && glob_matches(&target->glob, candidate->stat.comm, COMM_LEN))
		return true;
	/* Later, a process with this PID is another one. */
	for (size_t i = 0; job->rounds == 0 && i < target->pid_count; i++)
		if (target->pids[i] == pid)
			return true;
	return false;
}

/* 0: it is no child of a process of the job. */
static uint32_t find_parent(const struct proc_job *job, const struct candidate *candidate)
{
	uint32_t parent = find_member(job, candidate->stat.ppid);

	return parent && job->processes[parent].start_ticks <= candidate->stat.start_ticks ?
		       parent :
		       0;
}

/* As far as can be told by now, a parent is a trainer and its children work for it; as in bpf/job.bpf.c. */
static void join_trainer(struct proc_job *job, struct proc_process *p, uint32_t parent)
{
	struct owner *above = &job->processes[parent].owner;

	if (!above->assigned)
		above->trainer = parent;
	p->owner.trainer = above->trainer;
}

static int admit(struct proc_job *job, struct candidate *candidate, uint32_t parent)
{
	struct proc_process *p = take_process(job);
	struct owner *o;

	if (!p)
		return -ENOMEM;
	*p = (struct proc_process){ .folder_fd = -1, .stat_fd = -1, .io_fd = -1, .task_fd = -1 };
	o = &p->owner;
	o->kind = OWNER_PROCESS;
	o->tgid = o->pid = (uint32_t)candidate->known->pid;
	o->ppid = (uint32_t)candidate->stat.ppid;
	o->start_boot_ns = proc_ticks_ns(candidate->stat.start_ticks);
	memcpy(o->comm, candidate->stat.comm, COMM_LEN);
	o->trainer = (uint32_t)(p - job->processes);
	p->start_ticks = candidate->stat.start_ticks;
	/* A PID that was not there in the first round is that of a process which started after it. */
	p->from_start =
		candidate->is_new && (job->rounds || o->start_boot_ns > job->opened_boot_ns);
	p->parent = parent;
	if (parent) {
		p->depth = job->processes[parent].depth + 1;
		join_trainer(job, p, parent);
	}
	candidate->known->member = (uint32_t)(p - job->processes);
	if (job->keep_max) {
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "%u", o->pid);
		fd = openat(job->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		p->folder_fd = fd < 0 ? -1 : proc_files_keep(job, fd);
	}
	/* By now its PID may be another's: then its stat says so, and it is gone. */
	look_at_member(job, p);
	return 0;
}

/* Until none is found any more: a child may come before its parent. */
static int admit_all(struct proc_job *job, struct candidate *candidates, size_t count)
{
	bool any = true;
	int err = 0;

	while (any && !err) {
		any = false;
		for (size_t i = 0; !err && i < count; i++) {
			struct candidate *c = &candidates[i];
			uint32_t parent = find_parent(job, c);

			if (c->known->member || c->done ||
			    (!(parent && c->is_new) && !is_target(job, c)))
				continue;
			err = admit(job, c, parent);
			c->done = true;
			any = true;
		}
	}
	return err;
}

static int find_members(struct proc_job *job)
{
	struct candidate *candidates =
		scratch_take(&job->scratch, job->known_count + 1, sizeof(*candidates));
	size_t count = 0;
	int err;

	if (!candidates)
		return -ENOMEM;
	for (size_t i = 0; i < job->known_count; i++) {
		struct candidate *c = &candidates[count];

		c->known = &job->known[i];
		/* The kernel's own threads are no job's, and what had ended before is over. */
		if (is_due(job, c->known) && read_candidate(job, c) == 0 &&
		    !(c->stat.flags & pf_kthread) && (job->rounds || !has_ended(&c->stat)))
			count++;
	}
	err = admit_all(job, candidates, count);
	for (size_t i = 0; i < job->known_count; i++)
		job->known[i].age++;
	return err;
}

static int list_cgroup(struct proc_job *job)
{
	char path[PATH_MAX];

	if (!job->target->has_cgroup || !job->target->cgroup_path)
		return 0;
	if (snprintf(path, sizeof(path), "%s%s", job->root, job->target->cgroup_path) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	return proc_ids_of_cgroup(&job->cgroup_ids, path);
}

int proc_job_refresh(struct proc_job *job, uint64_t mono_ns, uint64_t boot_ns, struct fault *fault)
{
	int err;

	job->now_boot_ns = boot_ns;
	scratch_reset(&job->scratch);
	err = proc_ids_of_folder(&job->ids, job->proc_fd);
	if (!err)
		err = list_cgroup(job);
	if (!err)
		err = follow_pids(job);
	for (size_t i = OWNER_FIRST; !err && i < job->process_count; i++)
		if (job->processes[i].owner.kind == OWNER_PROCESS &&
		    job->processes[i].life != PROC_GONE)
			look_at_member(job, &job->processes[i]);
	if (!err)
		err = find_members(job);
	if (!err && job->with_threads)
		err = proc_threads_read(job, mono_ns, boot_ns);
	if (!err)
		err = proc_bytes_read(job);
	for (size_t i = OWNER_FIRST; !job->found && i < job->process_count; i++)
		job->found = job->processes[i].owner.kind == OWNER_PROCESS &&
			     job->processes[i].life == PROC_ALIVE;
	if (!err)
		tidy(job);
	job->rounds++;
	return err ? fault_set(fault, err, "cannot read processes of /proc: %s", strerror(-err)) :
		     0;
}

void proc_job_look_at_young(struct proc_job *job)
{
	for (size_t i = OWNER_FIRST; i < job->process_count; i++) {
		struct proc_process *p = &job->processes[i];
		struct proc_stat stat;

		if (p->owner.kind != OWNER_PROCESS || p->life != PROC_ALIVE || !is_young(job, p) ||
		    read_stat(job, p, &stat) != 0 || stat.start_ticks != p->start_ticks ||
		    has_ended(&stat))
			continue;
		memcpy(p->owner.comm, stat.comm, COMM_LEN);
		read_words(job, p);
	}
}

bool proc_job_alive(struct proc_job *job)
{
	for (size_t i = OWNER_FIRST; i < job->process_count; i++) {
		struct proc_process *p = &job->processes[i];
		struct proc_stat stat;

		if (p->owner.kind != OWNER_PROCESS || p->life != PROC_ALIVE)
			continue;
		if (read_stat(job, p, &stat) == 0 && stat.start_ticks == p->start_ticks &&
		    !has_ended(&stat))
			return true;
	}
	return false;
}

static int copy_bytes(struct sample *sample, size_t place, enum io_op op, uint64_t bytes)
{
	struct io_row *row;

	/* One that has moved nothing has no row. */
	if (!bytes)
		return 0;
	row = sample_add_row(sample);
	if (!row)
		return -ENOMEM;
	memset(row, 0, sizeof(*row));
	row->key = (struct io_key){ .owner = (__u32)place, .op = op, .cause = CAUSE_SUBMIT };
	row->live = 1;
	row->bytes = bytes;
	return 0;
}

int proc_job_copy_bytes(const struct proc_job *job, struct sample *sample)
{
	int err = 0;

	for (size_t i = 0; !err && i < job->process_count; i++) {
		err = copy_bytes(sample, i, IO_READ, job->processes[i].read_bytes);
		if (!err)
			err = copy_bytes(sample, i, IO_WRITE, job->processes[i].write_bytes);
	}
	return err;
}

static int copy_threads(struct proc_job *job, struct sample *sample)
{
	for (size_t i = 0; i < job->thread_count; i++) {
		struct thread *thread = sample_add_thread(sample);

		if (!thread)
			return -ENOMEM;
		*thread = job->threads[i].ledger;
		job->threads[i].shown = thread->life == THREAD_ENDED;
	}
	return 0;
}

int proc_job_copy(struct proc_job *job, struct sample *sample)
{
	for (size_t i = 0; i < job->process_count; i++) {
		struct proc_process *p = &job->processes[i];
		struct owner_sample *o = sample_add_owner(sample);

		if (!o)
			return -ENOMEM;
		memset(o, 0, sizeof(*o));
		o->owner = p->owner;
		o->bytes_unknown = p->owner.kind == OWNER_PROCESS && !p->io_known;
		memcpy(o->cgroup, p->cgroup, sizeof(o->cgroup));
		p->shown = p->life == PROC_GONE && p->parted;
	}
	sample->has_ledger = job->with_threads;
	return job->with_threads ? copy_threads(job, sample) : 0;
}

void proc_job_assign(struct proc_job *job, uint32_t owner, uint64_t start_boot_ns, uint32_t trainer,
		     pid_t clock_tid)
{
	struct owner *o = owner < job->process_count ? &job->processes[owner].owner : NULL;

	if (!o || trainer >= job->process_count || o->start_boot_ns != start_boot_ns)
		return;
	o->assigned = 1;
	o->trainer = trainer;
	o->clock_tid = (uint32_t)clock_tid;
}

void proc_job_close(struct proc_job *job)
{
	for (size_t i = 0; i < job->process_count; i++) {
		if (i >= OWNER_FIRST && job->processes[i].owner.kind == OWNER_PROCESS)
			drop_files(job, &job->processes[i]);
		free(job->processes[i].threads);
	}
	for (size_t i = 0; i < job->thread_count; i++)
		if (job->threads[i].ledger.life == THREAD_ALIVE)
			proc_files_drop(job, &job->threads[i].schedstat_fd);
	free(job->processes);
	free(job->threads);
	free(job->known);
	scratch_free(&job->scratch);
	proc_ids_free(&job->ids);
	proc_ids_free(&job->cgroup_ids);
	if (job->proc_fd >= 0)
		close(job->proc_fd);
	*job = (struct proc_job){ .proc_fd = -1 };
}
