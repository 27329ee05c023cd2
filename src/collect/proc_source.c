// SPDX-License-Identifier: BSD-2-Clause
#include "collect/proc_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/units.h"
#include "collect/diskstats.h"
#include "collect/proc_job.h"
#include "collect/proc_looks.h"
#include "collect/pressure.h"
#include "collect/procfs.h"

/* Counters are read at least so often; a little longer than the usual interval, which reads them itself. */
static const uint64_t refresh_ns = 1100000000;

static const uint64_t shortest_slice_ns = 100000; /* the kernel's own bound */

struct proc_source {
	const char *root;
	struct proc_job job;
	bool with_processes;
	int tick_fd;
	uint64_t tick_ns; /* between looks, on average: as asked for */
	bool at_any_cost; /* the rate was asked for; else a job of many busy threads is looked at less often */
	uint64_t look_ns; /* what one costs, of a processor, on average of the last few */
	uint64_t random;
	struct proc_looks *taken;
	uint64_t looks;
	uint64_t refreshed_ns; /* CLOCK_MONOTONIC */
	uint64_t round_ns;     /* what that cost, of a processor */
	int load_fd;           /* /proc/loadavg; -1: there is none */
	uint64_t last_pid;     /* that the kernel gave away, as it says */
};

/* Between two of them there is so many times what one costs: 0.2 % of a processor for rounds, beside one each second, and 0.3 % for looks. */
enum { ROUND_REST = 500, LOOK_REST = 300 };

/* Times by 75 to 125 %, so that looks do not keep step with what they look at. xorshift64* (Vigna 2016). */
static uint64_t jitter(struct proc_source *source, uint64_t ns)
{
	source->random ^= source->random >> 12;
	source->random ^= source->random << 25;
	source->random ^= source->random >> 27;
	return ns * 3 / 4 + (source->random * 0x2545f4914f6cdd1dULL) % (ns / 2 + 1);
}

static int set_timer(struct proc_source *source, struct fault *fault)
{
	uint64_t rest_ns = LOOK_REST * source->look_ns;
	uint64_t ns = jitter(source, source->tick_ns > rest_ns ? source->tick_ns : rest_ns);
	const struct itimerspec time = { .it_value = { .tv_sec = (time_t)(ns / NS_PER_S),
						       .tv_nsec = (long)(ns % NS_PER_S) } };

	if (timerfd_settime(source->tick_fd, 0, &time, NULL) != 0)
		return fault_set(fault, -errno, "cannot set a timer: %s", strerror(errno));
	return 0;
}

static int refresh(struct proc_source *source, uint64_t mono_ns, uint64_t boot_ns,
		   struct fault *fault)
{
	uint64_t before_ns = time_now_ns(CLOCK_THREAD_CPUTIME_ID);
	int err = 0;

	if (source->with_processes)
		err = proc_job_refresh(&source->job, mono_ns, boot_ns, fault);
	if (err)
		return err;
	source->refreshed_ns = mono_ns;
	err = proc_looks_share(source->taken, mono_ns);
	source->round_ns = time_now_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns;
	return err ? fault_set(fault, err, "out of memory") : 0;
}

/* "0.00 0.01 0.05 1/113 4711": the last one is the PID that was given away last, to a process or thread. */
static bool has_given_pids(struct proc_source *source)
{
	char text[128];
	ssize_t n = source->load_fd < 0 ? -1 : pread(source->load_fd, text, sizeof(text) - 1, 0);
	const char *last;
	uint64_t pid;

	if (n <= 0)
		return false;
	text[n] = '\0';
	last = strrchr(text, ' ');
	pid = last ? strtoull(last, NULL, 10) : 0;
	if (pid == source->last_pid)
		return false;
	source->last_pid = pid;
	return true;
}

/* Whether it is time for a round: the usual one, or for processes and threads that have just been started. */
static bool is_round_due(struct proc_source *source, uint64_t now_ns)
{
	uint64_t past_ns = now_ns - source->refreshed_ns;

	if (past_ns > refresh_ns)
		return true;
	return past_ns > ROUND_REST * source->round_ns && has_given_pids(source);
}

/* As in include/uapi/linux/sched/types.h, whose struct old C libraries lack. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t slice_ns, deadline_ns, period_ns;
};

/*
 * Looks must not wait until one of those that are looked at gives a processor back: then they would see it asleep. With a short slice
 * the scheduler (from 6.12 on) lets a thread that wakes up run at once. Looks that come 10 ms late at load 4 come 4 ms late then.
 */
static void ask_to_be_prompt(void)
{
	struct scheduling now = { .size = sizeof(now) };

	if (syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0) != 0 || now.policy != SCHED_OTHER)
		return;
	now.slice_ns = shortest_slice_ns;
	syscall(SYS_sched_setattr, 0, &now, 0);
}

static int check_namespace(struct fault *fault)
{
	int own = procfs_is_own_namespace();

	if (own < 0)
		return fault_set_exit(fault, EXIT_NOT_SUPPORTED, own,
				      "cannot read /proc: %s; is it mounted?", strerror(-own));
	if (!own)
		return procfs_refuse_namespace(fault);
	return 0;
}

int proc_source_open(struct proc_source **result, const struct proc_source_options *options,
		     struct fault *fault)
{
	const struct proc_job_options job = { .target = options->target,
					      .root = options->root,
					      .with_threads = !options->target->all };
	struct proc_source *source;
	char path[PATH_MAX];
	uint64_t boot_ns = time_now_ns(CLOCK_BOOTTIME);
	int err = *options->root ? 0 : check_namespace(fault);

	if (err)
		return err;
	source = calloc(1, sizeof(*source));
	if (!source)
		return fault_set(fault, -ENOMEM, "out of memory");
	source->root = options->root;
	source->with_processes = options->for_judge || !options->target->all;
	source->tick_ns =
		NS_PER_S / (options->looks_per_s ? options->looks_per_s : DEFAULT_LOOKS_PER_S);
	source->at_any_cost = options->looks_per_s != 0;
	source->random = boot_ns | 1;
	ask_to_be_prompt();
	snprintf(path, sizeof(path), "%s/proc/loadavg", source->root);
	source->load_fd = open(path, O_RDONLY | O_CLOEXEC);
	source->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = proc_job_open(&source->job, &job, boot_ns, fault);
	source->taken = proc_looks_new(&source->job, source->root);
	if (!err && !source->taken)
		err = fault_set(fault, -ENOMEM, "out of memory");
	if (!err && source->tick_fd < 0)
		err = fault_set(fault, -errno, "cannot make a timer: %s", strerror(errno));
	if (!err)
		err = set_timer(source, fault);
	if (!err)
		err = refresh(source, time_now_ns(CLOCK_MONOTONIC), boot_ns, fault);
	if (err) {
		proc_source_close(source);
		return err;
	}
	*result = source;
	return 0;
}

int proc_source_read_threads(struct proc_source *source, struct sample *sample, struct fault *fault)
{
	int err;

	sample_clear(sample);
	sample_set_time(sample);
	err = refresh(source, sample->mono_ns, sample->boot_ns, fault);
	if (err)
		return err;
	sample->source = SOURCE_PROC;
	sample->looks = source->looks;
	sample->threads_ns = sample->mono_ns;
	err = proc_job_copy(&source->job, sample);
	for (size_t i = 0; !err && i < sample->owner_count; i++)
		sample->owners[i].frameworks = proc_looks_frameworks(source->taken, i);
	return err ? fault_set(fault, err, "out of memory") : 0;
}

int proc_source_read(struct proc_source *source, struct sample *sample, struct fault *fault)
{
	char path[PATH_MAX];
	struct fault ignored;
	int err = proc_source_read_threads(source, sample, fault);

	if (!err && proc_job_copy_bytes(&source->job, sample) != 0)
		err = fault_set(fault, -ENOMEM, "out of memory");
	if (err)
		return err;
	/* In a container it may be masked: then nothing is known of disks. */
	snprintf(path, sizeof(path), "%s/proc/diskstats", source->root);
	err = diskstats_read(path, sample, &ignored);
	if (err == -ENOMEM) {
		*fault = ignored;
		return err;
	}
	return 0;
}

void proc_source_read_pressure(const struct proc_source *source, struct sample *sample)
{
	pressure_read(sample, source->root);
}

void proc_source_assign(struct proc_source *source, uint32_t owner, uint64_t start_boot_ns,
			uint32_t trainer, pid_t clock_tid)
{
	proc_job_assign(&source->job, owner, start_boot_ns, trainer, clock_tid);
}

bool proc_source_job_found(const struct proc_source *source)
{
	return source->job.found;
}

bool proc_source_job_alive(struct proc_source *source)
{
	return proc_job_alive(&source->job);
}

void proc_source_tidy(struct proc_source *source)
{
	proc_job_look_at_young(&source->job);
}

int proc_source_tick_fd(const struct proc_source *source)
{
	return source->tick_fd;
}

static int take_look(struct proc_source *source, uint64_t now_ns, struct fault *fault)
{
	uint64_t before_ns = time_now_ns(CLOCK_THREAD_CPUTIME_ID);

	if (proc_looks_take(source->taken, now_ns) != 0)
		return fault_set(fault, -ENOMEM, "out of memory");
	source->looks++;
	if (!source->at_any_cost)
		source->look_ns =
			(7 * source->look_ns + time_now_ns(CLOCK_THREAD_CPUTIME_ID) - before_ns) /
			8;
	return 0;
}

int proc_source_tick(struct proc_source *source, struct fault *fault)
{
	uint64_t now_ns = time_now_ns(CLOCK_MONOTONIC), expirations;
	int err = 0;

	if (read(source->tick_fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return 0;
	proc_source_tidy(source);
	if (is_round_due(source, now_ns))
		err = refresh(source, now_ns, time_now_ns(CLOCK_BOOTTIME), fault);
	if (!err)
		err = take_look(source, now_ns, fault);
	return err ? err : set_timer(source, fault);
}

uint64_t proc_source_looks(const struct proc_source *source)
{
	return source->looks;
}

void proc_source_gaps(const struct proc_source *source, struct proc_gaps *gaps)
{
	*gaps = (struct proc_gaps){ .vanished = source->job.vanished,
				    .denied = source->job.denied,
				    .malformed = source->job.malformed };
}

void proc_source_close(struct proc_source *source)
{
	if (!source)
		return;
	if (source->tick_fd >= 0)
		close(source->tick_fd);
	if (source->load_fd >= 0)
		close(source->load_fd);
	proc_looks_free(source->taken);
	proc_job_close(&source->job);
	free(source);
}
