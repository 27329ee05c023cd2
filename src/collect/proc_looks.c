// SPDX-License-Identifier: BSD-2-Clause
#include "collect/proc_looks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect/framework.h"
#include "collect/proc_files.h"
#include "collect/proc_states.h"

/* A thread, by its place in the table of the job; tells it from one that had the place before. */
struct looked_thread {
	pid_t tid;
	uint64_t start_ns;
	uint64_t cpu_ns, runqueue_ns; /* as they were when its time was shared out last */
	struct proc_look look;
};

/* A process, by its place likewise. */
struct looked_process {
	uint64_t start_boot_ns;
	struct proc_fds files;
	uint32_t
		clock_thread; /* place + 1 of the thread that its clock follows; 0: none is known */
	bool waits;           /* that thread, when it was looked at last */
	uint64_t clock_ns;    /* that it ran since the times were shared out last */
	uint64_t wall_ns;     /* of so much */
	struct framework_looks frameworks;
};

struct proc_looks {
	struct proc_job *job;
	struct proc_sockets *sockets;
	struct looked_thread *threads;
	size_t thread_count;
	struct looked_process *processes;
	size_t process_count;
	size_t next; /* process whose turn it is to be looked at for frameworks */
};

/* Of /proc/PID/maps, in a round: a process of TensorFlow has about 100 KiB, in 1.2 ms. */
enum { ENOUGH_BYTES = 256 * 1024 };

struct proc_looks *proc_looks_new(struct proc_job *job, const char *root)
{
	struct proc_looks *looks = calloc(1, sizeof(*looks));

	if (!looks)
		return NULL;
	looks->job = job;
	looks->sockets = proc_sockets_new(root);
	if (looks->sockets)
		return looks;
	free(looks);
	return NULL;
}

void proc_looks_free(struct proc_looks *looks)
{
	if (!looks)
		return;
	for (size_t i = 0; i < looks->thread_count; i++)
		proc_look_close(&looks->threads[i].look);
	for (size_t i = 0; i < looks->process_count; i++)
		proc_fds_close(&looks->processes[i].files);
	proc_sockets_free(looks->sockets);
	free(looks->threads);
	free(looks->processes);
	free(looks);
}

/* As many places as the job has. */
static int make_room(struct proc_looks *looks)
{
	size_t threads = looks->job->thread_count, processes = looks->job->process_count;

	if (threads > looks->thread_count) {
		struct looked_thread *more = reallocarray(looks->threads, threads, sizeof(*more));

		if (!more)
			return -ENOMEM;
		looks->threads = more;
		for (; looks->thread_count < threads; looks->thread_count++) {
			more[looks->thread_count] = (struct looked_thread){ 0 };
			proc_look_init(&more[looks->thread_count].look);
		}
	}
	if (processes > looks->process_count) {
		struct looked_process *more =
			reallocarray(looks->processes, processes, sizeof(*more));

		if (!more)
			return -ENOMEM;
		looks->processes = more;
		for (; looks->process_count < processes; looks->process_count++) {
			more[looks->process_count] = (struct looked_process){ 0 };
			proc_fds_init(&more[looks->process_count].files, 0);
		}
	}
	return 0;
}

/* The place may be another thread's by now. */
static struct looked_thread *thread_at(struct proc_looks *looks, size_t place)
{
	const struct thread *ledger = &looks->job->threads[place].ledger;
	struct looked_thread *t = &looks->threads[place];

	if (t->tid == (pid_t)ledger->tid && t->start_ns == ledger->start_ns)
		return t;
	proc_look_close(&t->look);
	*t = (struct looked_thread){ .tid = (pid_t)ledger->tid, .start_ns = ledger->start_ns };
	proc_look_init(&t->look);
	return t;
}

static struct looked_process *process_at(struct proc_looks *looks, size_t place)
{
	const struct owner *o = &looks->job->processes[place].owner;
	struct looked_process *p = &looks->processes[place];

	if (p->files.pid == (pid_t)o->pid && p->start_boot_ns == o->start_boot_ns)
		return p;
	proc_fds_close(&p->files);
	*p = (struct looked_process){ .start_boot_ns = o->start_boot_ns };
	proc_fds_init(&p->files, (pid_t)o->pid);
	return p;
}

static bool is_alive(const struct proc_looks *looks, size_t place)
{
	return looks->job->threads[place].ledger.life == THREAD_ALIVE;
}

static bool is_trainer(const struct proc_looks *looks, uint32_t process)
{
	return looks->job->processes[process].owner.trainer == process;
}

static bool runs_clock(const struct proc_looks *looks, size_t place)
{
	const struct thread *ledger = &looks->job->threads[place].ledger;
	const struct owner *o = &looks->job->processes[ledger->owner].owner;

	return ledger->tid == (o->clock_tid ? o->clock_tid : o->pid) &&
	       is_trainer(looks, ledger->owner);
}

/* Returns false where it is gone: the next round of the job finds out. */
static bool look_at(struct proc_looks *looks, size_t place, uint64_t now_ns)
{
	uint32_t owner = looks->job->threads[place].ledger.owner;
	struct looked_thread *t = thread_at(looks, place);

	return proc_look_now(&t->look, &process_at(looks, owner)->files, looks->sockets, t->tid,
			     now_ns) == 0;
}

/* Trainers first: what the others do counts on their clocks. */
static void look_at_clocks(struct proc_looks *looks, uint64_t now_ns)
{
	for (size_t i = 0; i < looks->process_count; i++)
		looks->processes[i].waits = false;
	for (size_t i = 0; i < looks->job->thread_count; i++) {
		struct looked_process *p;

		if (!is_alive(looks, i) || !runs_clock(looks, i))
			continue;
		p = process_at(looks, looks->job->threads[i].ledger.owner);
		p->clock_thread = (uint32_t)i + 1;
		if (!look_at(looks, i, now_ns))
			continue;
		p->waits = proc_state_waits(looks->threads[i].look.state);
		proc_look_count(&looks->threads[i].look, p->waits);
	}
}

/* Did the trainer that this thread works for wait, when it was looked at last? */
static bool trainer_waits(const struct proc_looks *looks, size_t place)
{
	uint32_t owner = looks->job->threads[place].ledger.owner;

	return looks->processes[looks->job->processes[owner].owner.trainer].waits;
}

int proc_looks_take(struct proc_looks *looks, uint64_t now_ns)
{
	int err = make_room(looks);

	if (err)
		return err;
	look_at_clocks(looks, now_ns);
	for (size_t i = 0; i < looks->job->thread_count; i++) {
		struct looked_thread *t;

		if (!is_alive(looks, i) || runs_clock(looks, i))
			continue;
		t = thread_at(looks, i);
		if (!proc_look_is_due(&t->look))
			proc_look_spare(&t->look, trainer_waits(looks, i));
		else if (look_at(looks, i, now_ns))
			proc_look_count(&t->look, trainer_waits(looks, i));
	}
	return 0;
}

/* A window may be too short for a look at each thread, and one that has just been met had none: nothing is said without any. */
static void look_at_the_rest(struct proc_looks *looks, uint64_t now_ns)
{
	for (size_t i = 0; i < looks->job->thread_count; i++) {
		struct looked_thread *t;

		if (!is_alive(looks, i))
			continue;
		t = thread_at(looks, i);
		if (!proc_look_has_any(&t->look) && look_at(looks, i, now_ns))
			proc_look_count(&t->look, trainer_waits(looks, i));
	}
}

static struct proc_times times_of(struct proc_looks *looks, size_t place)
{
	const struct proc_thread *thread = &looks->job->threads[place];
	const struct looked_thread *t = thread_at(looks, place);

	return (struct proc_times){ .cpu_ns = thread->ledger.ns[LEDGER_CPU] - t->cpu_ns,
				    .runqueue_ns =
					    thread->ledger.ns[LEDGER_RUNQUEUE] - t->runqueue_ns,
				    .asleep_ns = proc_thread_due_ns(thread) };
}

static uint64_t wall_ns(const struct proc_times *times)
{
	return times->cpu_ns + times->runqueue_ns + times->asleep_ns;
}

static void run_clocks(struct proc_looks *looks)
{
	for (size_t i = OWNER_FIRST; i < looks->process_count; i++) {
		struct looked_process *p = process_at(looks, i);
		size_t place = p->clock_thread - 1;
		struct proc_times times;

		p->clock_ns = p->wall_ns = 0;
		if (!p->clock_thread || !runs_clock(looks, place))
			continue;
		times = times_of(looks, place);
		p->wall_ns = wall_ns(&times);
		p->clock_ns = proc_look_clock_ns(&looks->threads[place].look, &times);
		looks->job->processes[i].owner.clock += p->clock_ns;
	}
}

static void share_one(struct proc_looks *looks, size_t place)
{
	struct thread *ledger = &looks->job->threads[place].ledger;
	struct looked_thread *t = thread_at(looks, place);
	struct proc_times times = times_of(looks, place);
	uint32_t trainer = looks->job->processes[ledger->owner].owner.trainer;
	const struct looked_process *p = &looks->processes[trainer];

	if (p->wall_ns)
		times.clock_ns = wall_ns(&times) < p->wall_ns ?
					 (uint64_t)((double)p->clock_ns * (double)wall_ns(&times) /
						    (double)p->wall_ns) :
					 p->clock_ns;
	proc_look_share(&t->look, &times, ledger);
	ledger->trainer = trainer;
	ledger->word = (ledger->word & ~(uint64_t)LEDGER_STATE_MASK) | t->look.slept;
	t->cpu_ns = ledger->ns[LEDGER_CPU];
	t->runqueue_ns = ledger->ns[LEDGER_RUNQUEUE];
	if (ledger->life != THREAD_ALIVE)
		proc_look_close(&t->look);
}

/* A worker without a program of its own has what its parent has: nobody needs to look. */
static bool is_copy(const struct proc_looks *looks, size_t place)
{
	const struct proc_process *p = &looks->job->processes[place];
	const struct owner *o = &p->owner, *parent = &looks->job->processes[p->parent].owner;

	return p->parent && o->cmdline_len && o->cmdline_len == parent->cmdline_len &&
	       memcmp(o->cmdline, parent->cmdline, o->cmdline_len) == 0;
}

/* Returns how many bytes were read. */
static size_t look_for_frameworks(struct proc_looks *looks, size_t place, uint64_t now_ns)
{
	const struct proc_process *process = &looks->job->processes[place];
	struct looked_process *p = process_at(looks, place);
	size_t bytes;
	int folder;

	if (is_copy(looks, place)) {
		p->frameworks.frameworks |= looks->processes[process->parent].frameworks.frameworks;
		return 0;
	}
	if (now_ns < p->frameworks.due_ns)
		return 0;
	folder = proc_files_open(looks->job, process, ".", O_PATH | O_DIRECTORY);
	if (folder < 0)
		return 0;
	bytes = framework_look(&p->frameworks, folder, process->owner.start_boot_ns, now_ns);
	close(folder);
	return bytes;
}

/* Not all at once: those that come next have their turn in the next round. */
static void look_for_all_frameworks(struct proc_looks *looks)
{
	size_t bytes = 0, count = looks->process_count - OWNER_FIRST;

	for (size_t n = 0; n < count && bytes < ENOUGH_BYTES; n++) {
		size_t place = OWNER_FIRST + looks->next++ % count;

		if (looks->job->processes[place].owner.kind == OWNER_PROCESS &&
		    looks->job->processes[place].life == PROC_ALIVE)
			bytes += look_for_frameworks(looks, place, looks->job->now_boot_ns);
	}
}

unsigned int proc_looks_frameworks(const struct proc_looks *looks, size_t process)
{
	return process < looks->process_count ? looks->processes[process].frameworks.frameworks : 0;
}

int proc_looks_share(struct proc_looks *looks, uint64_t now_ns)
{
	int err = make_room(looks);

	if (err)
		return err;
	look_at_the_rest(looks, now_ns);
	run_clocks(looks);
	look_for_all_frameworks(looks);
	for (size_t i = 0; i < looks->job->thread_count; i++)
		if (looks->job->threads[i].ledger.life != THREAD_FREE)
			share_one(looks, i);
	return 0;
}
