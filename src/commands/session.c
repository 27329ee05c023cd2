// SPDX-License-Identifier: BSD-2-Clause
#include "commands/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/units.h"
#include "collect/diskstats.h"
#include "commands/privileges.h"

/* How soon the end of the last descendant is noticed, once the processes of -p are gone. */
static const int descendants_ms = 100;

enum { US_PER_S = 1000000 };

/* What session_wait() watches, in the order of session.watched. */
enum { WATCH_SIGNAL, WATCH_TICK, WATCH_DEADLINE, WATCH_WAKE, WATCH_TARGETS };

static int open_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

static int open_timer(uint64_t ns, bool repeat, struct fault *fault)
{
	struct itimerspec time = { .it_value = { .tv_sec = (time_t)(ns / NS_PER_S),
						 .tv_nsec = (long)(ns % NS_PER_S) } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int err;

	if (repeat)
		time.it_interval = time.it_value;
	if (fd >= 0 && timerfd_settime(fd, 0, &time, NULL) == 0)
		return fd;
	err = -errno;
	if (fd >= 0)
		close(fd);
	return fault_set(fault, err, "cannot set a timer: %s", strerror(-err));
}

/* SIGINT and SIGTERM are read from a descriptor; a closed pipe shall be a write error. */
static int catch_signals(struct session *session, struct fault *fault)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, &session->signals_before))
		return fault_set(fault, -errno, "cannot block signals: %s", strerror(errno));
	session->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (session->signal_fd < 0)
		return fault_set(fault, -errno, "cannot watch for signals: %s", strerror(errno));
	return 0;
}

/* Descriptors that tell the end of PROGRAM or of the processes of -p. */
static int watch_targets(struct session *session, struct fault *fault)
{
	const struct target *target = &session->options->target;
	const pid_t *pids = session->program.pid ? &session->program.pid : target->pids;
	size_t count = session->program.pid ? 1 : target->pid_count;

	session->target_fds = calloc(count + 1, sizeof(int));
	session->watched = calloc(WATCH_TARGETS + count, sizeof(*session->watched));
	if (!session->target_fds || !session->watched)
		return fault_set(fault, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		int fd = open_pidfd(pids[i]);

		/* Before Linux 5.3, or in a container that does not permit it. */
		session->blind = session->blind || fd == -ENOSYS || fd == -EPERM;
		if (fd < 0 && fd != -ESRCH && !session->blind)
			return fault_set(fault, fd, "cannot watch process %d: %s", pids[i],
					 strerror(-fd));
		session->target_fds[session->target_count++] = fd < 0 ? -1 : fd;
	}
	return 0;
}

/* A process of -p can end between the look at /proc and the attach. */
static int check_found(const struct session *session, struct fault *fault)
{
	const struct target *target = &session->options->target;

	if (session->program.pid || !target->pid_count || target->has_cgroup || target->has_glob ||
	    target->all || source_job_found(session->source))
		return 0;
	return fault_set(fault, -ESRCH,
			 "process %d cannot be watched: it has ended meanwhile, or this kernel "
			 "hides it from BPF",
			 target->pids[0]);
}

static int open_source(struct session *session, struct fault *fault)
{
	const struct options *options = session->options;
	const struct source_options source = {
		.choice = options->source,
		.target = options->program ? &session->program_target : &options->target,
		.devices = &options->devices,
		.max_keys = options->max_keys,
		.for_judge = options->for_judge,
		.thread_names = options->threads,
		.looks_per_s = options->looks_per_s,
	};
	int err;

	session->program_target.pids = &session->program.pid;
	session->program_target.pid_count = 1;
	session->opened_ns = time_now_ns(CLOCK_MONOTONIC);
	err = source_open(&session->source, &source, fault);
	if (err)
		return err;
	log_debug("attached after %.0f ms",
		  (double)(time_now_ns(CLOCK_MONOTONIC) - session->opened_ns) / NS_PER_MS);
	if (*source_reason(session->source))
		log_warning("no BPF: %s; reading /proc instead, where waits are only seen at looks",
			    source_reason(session->source));
	return 0;
}

int session_open(struct session *session, const struct options *options, struct fault *fault)
{
	int err;

	*session = (struct session){ .options = options,
				     .output.fd = -1,
				     .signal_fd = -1,
				     .tick_fd = -1,
				     .deadline_fd = -1,
				     .program.go_fd = -1 };
	err = output_open(&session->output, options->output, fault);
	if (!err)
		err = catch_signals(session, fault);
	if (!err && options->program)
		err = program_start(&session->program, options->program, &session->signals_before,
				    fault);
	if (!err)
		err = watch_targets(session, fault);
	if (err)
		return err;
	err = open_source(session, fault);
	if (!err)
		err = check_found(session, fault);
	if (err)
		return err;
	if (source_kind(session->source) == SOURCE_PROC)
		return privileges_drop(PRIVILEGES_FOR_PROC, fault);
	return privileges_drop(source_has_markers(session->source) ? PRIVILEGES_FOR_MARKERS :
								     PRIVILEGES_FOR_BPF,
			       fault);
}

int session_start(struct session *session, struct fault *fault)
{
	const struct options *options = session->options;
	int err;

	session->tick_fd = open_timer(options->interval_ns, true, fault);
	if (session->tick_fd < 0)
		return session->tick_fd;
	if (options->duration_ns) {
		session->deadline_fd = open_timer(options->duration_ns, false, fault);
		if (session->deadline_fd < 0)
			return session->deadline_fd;
	}
	if (session->program.pid) {
		err = program_release(&session->program, options->program, fault);
		if (!err && source_kind(session->source) == SOURCE_PROC)
			err = source_tidy(session->source, fault);
		if (err)
			return err;
	}
	if (!diskstats_can_be_read("/proc/diskstats"))
		log_warning(
			"/proc/diskstats cannot be read or is empty, as where a container masks it: "
			"the kernel's statistics of disks are not known");
	log_info("tracing; %s", session->program.pid ? "ends with the program" : "Ctrl-C ends it");
	return 0;
}

/*
 * With PROGRAM, SIGINT from the terminal has reached it as well and it decides; SIGTERM is passed on.
 * Returns whether the run is over.
 */
static bool handle_signal(struct session *session)
{
	struct signalfd_siginfo info;

	if (read(session->signal_fd, &info, sizeof(info)) != sizeof(info))
		return false;
	if (!session->program.pid)
		return true;
	if (info.ssi_signo == SIGTERM)
		kill(session->program.pid, SIGTERM);
	/* SIGINT by kill(1) reached whystall alone: it ends the measurement. */
	return info.ssi_signo == SIGINT && info.ssi_code != SI_KERNEL;
}

static bool any_target_left(const struct session *session)
{
	for (size_t i = 0; i < session->target_count; i++)
		if (session->target_fds[i] >= 0)
			return true;
	return false;
}

/* PROGRAM's end is the end; that of -p is the end of all their descendants. */
static bool job_is_over(const struct session *session)
{
	const struct target *target = &session->options->target;

	if (session->program.pid)
		return session->blind ? program_is_over(&session->program) :
					!any_target_left(session);
	if (target->all || target->has_cgroup || target->has_glob || !target->pid_count)
		return false;
	return !any_target_left(session) && !source_job_alive(session->source);
}

/* The timeout for poll(2): none, unless only descendants are left, whose end nothing tells. */
static int poll_timeout(const struct session *session)
{
	return session->target_count && !any_target_left(session) ? descendants_ms : -1;
}

static void drop_ended_targets(struct session *session, const struct pollfd *fds)
{
	for (size_t i = 0; i < session->target_count; i++)
		if (session->target_fds[i] >= 0 && fds[i].revents) {
			close(session->target_fds[i]);
			session->target_fds[i] = -1;
		}
}

/* Wait until there is something to read, or a target ends. */
static int wait_for_any(struct session *session, struct fault *fault)
{
	const int fixed[WATCH_TARGETS] = { [WATCH_SIGNAL] = session->signal_fd,
					   [WATCH_TICK] = session->tick_fd,
					   [WATCH_DEADLINE] = session->deadline_fd,
					   [WATCH_WAKE] = source_wake_fd(session->source) };
	size_t count = WATCH_TARGETS + session->target_count;
	struct pollfd *fds = session->watched;

	for (size_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){ .fd = i < WATCH_TARGETS ?
							fixed[i] :
							session->target_fds[i - WATCH_TARGETS],
					  .events = POLLIN };
	while (poll(fds, count, poll_timeout(session)) < 0)
		if (errno != EINTR)
			return fault_set(fault, -errno, "cannot wait: %s", strerror(errno));
	drop_ended_targets(session, fds + WATCH_TARGETS);
	return 0;
}

int session_wait(struct session *session, struct fault *fault)
{
	const struct pollfd *fds = session->watched;
	uint64_t expirations;

	while (!job_is_over(session)) {
		int err = wait_for_any(session, fault);

		if (err)
			return err;
		if (fds[WATCH_DEADLINE].revents ||
		    (fds[WATCH_SIGNAL].revents && handle_signal(session)))
			return SESSION_END;
		if (fds[WATCH_TICK].revents &&
		    read(session->tick_fd, &expirations, sizeof(expirations)) > 0)
			return SESSION_TICK;
		if (fds[WATCH_WAKE].revents)
			err = source_wake(session->source, fault);
		if (err)
			return err;
	}
	return SESSION_END;
}

int session_finish(struct session *session)
{
	struct pollfd fd = { .fd = session->signal_fd, .events = POLLIN };

	if (!session->program.pid || session->program.go_fd >= 0)
		return 0;
	/* After -d the program may run on; signals are handled as before. */
	for (program_reap(&session->program, false); !session->program.ended;
	     program_reap(&session->program, false))
		if (poll(&fd, 1, descendants_ms) > 0)
			handle_signal(session);
	return program_exit_code(&session->program);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static double timeval_seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / US_PER_S;
}

/* What a run without BPF cost, and what it could not read. */
static void tell_of_proc(const struct session *session)
{
	double seconds = duration_seconds(time_now_ns(CLOCK_MONOTONIC) - session->opened_ns);
	struct proc_gaps gaps;
	struct rusage used;

	source_gaps(session->source, &gaps);
	/* Of a whole host, most processes are others'. */
	if (gaps.denied && !session->options->target.all)
		log_warning("the bytes of %llu processes may not be read: they are another user's",
			    (unsigned long long)gaps.denied);
	if (gaps.vanished)
		log_debug(
			"%llu processes ended between looks; what they did after the last one counts for a "
			"parent that waited for them",
			(unsigned long long)gaps.vanished);
	if (gaps.malformed)
		log_warning("%llu files of /proc could not be understood",
			    (unsigned long long)gaps.malformed);
	if (getrusage(RUSAGE_SELF, &used) == 0 && seconds > 0)
		log_debug(
			"whystall itself used %.2f %% of one processor, for %llu looks",
			100 * (timeval_seconds(&used.ru_utime) + timeval_seconds(&used.ru_stime)) /
				seconds,
			(unsigned long long)source_looks(session->source));
}

void session_close(struct session *session)
{
	if (session->source && source_kind(session->source) == SOURCE_PROC)
		tell_of_proc(session);
	program_discard(&session->program);
	source_close(session->source);
	output_close(&session->output);
	close_fd(session->signal_fd);
	close_fd(session->tick_fd);
	close_fd(session->deadline_fd);
	for (size_t i = 0; i < session->target_count; i++)
		close_fd(session->target_fds[i]);
	free(session->target_fds);
	free(session->watched);
	session->source = NULL;
	session->target_fds = NULL;
	session->watched = NULL;
	session->target_count = 0;
}
