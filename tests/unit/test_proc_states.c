// SPDX-License-Identifier: BSD-2-Clause
/* What threads are seen to do: rules on their own, and looks at children that wait for known things. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "collect/proc_states.h"
#include "collect/proc_wait.h"

static enum ledger_state state_in(int number, unsigned int fds, const char *function)
{
	const struct proc_syscall call = { .number = number };

	return proc_wait_state(&call, fds, function);
}

static void calls_and_descriptors(void **state)
{
	(void)state;
	assert_int_equal(state_in(SYS_read, PROC_ON_STORAGE, ""), LEDGER_STORAGE_READ);
	assert_int_equal(state_in(SYS_pwrite64, PROC_ON_STORAGE, ""), LEDGER_STORAGE_WRITE);
	assert_int_equal(state_in(SYS_write, PROC_ON_STORAGE, "balance_dirty_pages"),
			 LEDGER_DIRTY_LIMIT);
	assert_int_equal(state_in(SYS_fsync, PROC_ON_STORAGE, ""), LEDGER_FSYNC);
	assert_int_equal(state_in(SYS_getdents64, PROC_ON_STORAGE, ""), LEDGER_STORAGE_META);
	assert_int_equal(state_in(SYS_openat, 0, "request_wait_answer"), LEDGER_STORAGE_META);
	assert_int_equal(state_in(SYS_read, PROC_ON_PIPE, ""), LEDGER_IPC);
	assert_int_equal(state_in(SYS_write, PROC_ON_PIPE, ""), LEDGER_SEND);
	assert_int_equal(state_in(SYS_sendmsg, PROC_ON_PIPE, ""), LEDGER_SEND);
	assert_int_equal(state_in(SYS_recvfrom, PROC_ON_INET, ""), LEDGER_NETWORK);
	assert_int_equal(state_in(SYS_ioctl, PROC_ON_GPU, ""), LEDGER_GPU);
	assert_int_equal(state_in(SYS_read, PROC_ON_TIMER, ""), LEDGER_SLEEP);
	assert_int_equal(state_in(SYS_read, PROC_ON_DEVICE, "n_tty_read"), LEDGER_OTHER);
	assert_int_equal(state_in(SYS_futex, 0, ""), LEDGER_LOCK);
	assert_int_equal(state_in(SYS_wait4, 0, ""), LEDGER_IPC);
	assert_int_equal(state_in(SYS_clock_nanosleep, 0, ""), LEDGER_SLEEP);
}

static void polls(void **state)
{
	(void)state;
	assert_int_equal(state_in(SYS_ppoll, 0, ""), LEDGER_SLEEP);
	assert_int_equal(state_in(SYS_ppoll, PROC_ON_TIMER, ""), LEDGER_SLEEP);
	assert_int_equal(state_in(SYS_ppoll, PROC_ON_PIPE | PROC_ON_TIMER, ""), LEDGER_IPC);
	assert_int_equal(state_in(SYS_ppoll, PROC_ON_PIPE | PROC_ON_INET, ""), LEDGER_NETWORK);
	assert_int_equal(state_in(SYS_ppoll, PROC_ON_GPU, ""), LEDGER_GPU);
	/* One of them could not be read: it may be any of these. */
	assert_int_equal(state_in(SYS_ppoll, PROC_ON_PIPE | PROC_ON_UNKNOWN, ""), LEDGER_OTHER);
}

/* A FIFO has a path; one side of sendfile and splice is a pipe or a socket; a fault has no call. */
static void kernel_functions(void **state)
{
	(void)state;
	assert_int_equal(state_in(SYS_read, PROC_ON_STORAGE, "anon_pipe_read"), LEDGER_IPC);
	assert_int_equal(state_in(SYS_openat, 0, "wait_for_partner"), LEDGER_IPC);
	assert_int_equal(state_in(SYS_sendfile, PROC_ON_STORAGE, "folio_wait_bit_common"),
			 LEDGER_STORAGE_READ);
	assert_int_equal(state_in(SYS_sendfile, PROC_ON_STORAGE, "sk_stream_wait_memory"),
			 LEDGER_NETWORK);
	assert_int_equal(state_in(-1, 0, "folio_wait_bit_common"), LEDGER_STORAGE_FAULT);
	assert_int_equal(state_in(-1, 0, "rwsem_down_read_slowpath"), LEDGER_LOCK);
	assert_int_equal(state_in(-1, 0, ""), LEDGER_OTHER);
	assert_int_equal(state_in(SYS_madvise, 0, "rwsem_down_write_slowpath"), LEDGER_LOCK);
	assert_int_equal(state_in(100000, 0, "no_such_function"), LEDGER_OTHER);
}

static void calls_that_may_not_be_read(void **state)
{
	(void)state;
	assert_int_equal(proc_wait_state_by_function("futex_wait_queue", 'S', 0), LEDGER_LOCK);
	assert_int_equal(proc_wait_state_by_function("pipe_read", 'S', 0), LEDGER_IPC);
	assert_int_equal(proc_wait_state_by_function("folio_wait_bit_common", 'D', 0),
			 LEDGER_STORAGE_READ);
	assert_int_equal(proc_wait_state_by_function("", 'D', 0), LEDGER_STORAGE_READ);
	assert_int_equal(proc_wait_state_by_function("", 'S', 0), LEDGER_OTHER);
	assert_int_equal(proc_wait_state_by_function("ep_poll", 'S', PROC_ON_PIPE), LEDGER_IPC);
	assert_int_equal(proc_wait_state_by_function("ep_poll", 'S', PROC_ON_PIPE | PROC_ON_INET),
			 LEDGER_OTHER);
	assert_int_equal(proc_wait_state_by_function("futex_wait_queue", 'T', 0), LEDGER_OTHER);
}

/* 10 looks: 4 at a lock, 2 at a read, 4 running; the trainer waited in 5. */
static struct proc_look looks_of_a_worker(void)
{
	struct proc_look look;

	proc_look_init(&look);
	for (int i = 0; i < 10; i++) {
		look.state = i < 4 ? LEDGER_LOCK : i < 6 ? LEDGER_STORAGE_READ : LEDGER_CPU;
		proc_look_count(&look, i >= 4 && i < 9);
	}
	return look;
}

static uint64_t sum(const __u64 ns[LEDGER_STATES])
{
	uint64_t all = 0;

	for (int i = 0; i < LEDGER_STATES; i++)
		all += ns[i];
	return all;
}

static void times_are_shared_out(void **state)
{
	const struct proc_times times = {
		.asleep_ns = 600, .cpu_ns = 300, .runqueue_ns = 100, .clock_ns = 500
	};
	struct proc_look look = looks_of_a_worker();
	struct thread thread = { 0 };

	(void)state;
	proc_look_share(&look, &times, &thread);
	assert_int_equal(thread.ns[LEDGER_LOCK], 400);
	assert_int_equal(thread.ns[LEDGER_STORAGE_READ], 200);
	assert_int_equal(sum(thread.ns), 600);
	/* Two of five reading, three running, of which a quarter queueing. */
	assert_int_equal(thread.waiting_ns[LEDGER_STORAGE_READ], 200);
	assert_int_equal(thread.waiting_ns[LEDGER_CPU], 225);
	assert_int_equal(thread.waiting_ns[LEDGER_RUNQUEUE], 75);
	assert_int_equal(thread.waiting_ns[LEDGER_LOCK], 0);
	assert_int_equal(sum(thread.waiting_ns), 500);
}

/* Nothing of the time is lost where a thread slept that was only seen running: it is more of the last sleep. */
static void sleep_between_looks(void **state)
{
	const struct proc_times times = { .asleep_ns = 100, .cpu_ns = 900 };
	struct proc_look look = looks_of_a_worker();
	struct thread thread = { 0 };

	(void)state;
	memset(look.looks, 0, sizeof(look.looks));
	look.looks[LEDGER_CPU] = 20;
	proc_look_share(&look, &times, &thread);
	assert_int_equal(thread.ns[LEDGER_STORAGE_READ], 100);
	assert_int_equal(sum(thread.ns), 100);
	/* A second round without any look. */
	proc_look_share(&look, &(struct proc_times){ .asleep_ns = 10 }, &thread);
	assert_int_equal(thread.ns[LEDGER_STORAGE_READ], 110);
}

static void the_waiting_clock(void **state)
{
	const struct proc_times times = { .asleep_ns = 600, .cpu_ns = 300, .runqueue_ns = 100 };
	struct proc_look look;

	(void)state;
	proc_look_init(&look);
	assert_int_equal(proc_look_clock_ns(&look, &times), 0);
	for (int i = 0; i < 4; i++) {
		look.state = i < 3 ? LEDGER_LOCK : LEDGER_SLEEP;
		proc_look_count(&look, true);
	}
	assert_int_equal(proc_look_clock_ns(&look, &times), 450);
	assert_true(proc_state_waits(LEDGER_SEND));
	assert_false(proc_state_waits(LEDGER_CPU));
	assert_false(proc_state_waits(LEDGER_RUNQUEUE));
	assert_false(proc_state_waits(LEDGER_STORAGE_WRITE));
}

/* A calm thread is looked at less often, and counts no less. */
static void spared_looks_count(void **state)
{
	struct proc_look look;
	int full = 0;

	(void)state;
	proc_look_init(&look);
	for (int i = 0; i < 1000; i++) {
		if (!proc_look_is_due(&look)) {
			proc_look_spare(&look, i % 2);
			continue;
		}
		full++;
		look.state = LEDGER_LOCK;
		look.calm++;
		proc_look_count(&look, i % 2);
	}
	assert_in_range(full, 100, 140);
	assert_in_range(look.looks[LEDGER_LOCK], 990, 1000);
	assert_in_range(look.waiting[LEDGER_LOCK], 495, 500);
}

static int ends[2];

static void wait_pipe(void)
{
	char byte;

	(void)!read(ends[0], &byte, 1);
}

static void wait_send(void)
{
	char bytes[4096] = { 0 };

	for (;;)
		if (write(ends[1], bytes, sizeof(bytes)) < 0)
			return;
}

static void wait_unix(void)
{
	int fds[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0)
		(void)!recv(fds[0], &byte, 1, 0);
}

static int udp(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return bind(fd, (const struct sockaddr *)&any, sizeof(any)) ? -1 : fd;
}

static void wait_udp(void)
{
	char byte;

	(void)!recv(udp(), &byte, 1, 0);
}

static void wait_futex(void)
{
	static uint32_t word;

	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void wait_sleep(void)
{
	const struct timespec hour = { .tv_sec = 3600 };

	nanosleep(&hour, NULL);
}

static void wait_poll_both(void)
{
	struct pollfd fds[] = { { .fd = ends[0], .events = POLLIN },
				{ .fd = udp(), .events = POLLIN } };

	poll(fds, 2, -1);
}

static void wait_poll_pipe(void)
{
	struct pollfd fd = { .fd = ends[0], .events = POLLIN };

	poll(&fd, 1, -1);
}

static void wait_select_event(void)
{
	int fd = eventfd(0, 0);
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	select(fd + 1, &set, NULL, NULL, NULL);
}

static void wait_epoll_timer(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(0);

	epoll_ctl(epoll, EPOLL_CTL_ADD, timerfd_create(CLOCK_MONOTONIC, 0), &event);
	epoll_wait(epoll, &event, 1, -1);
}

static void wait_stopped(void)
{
	raise(SIGSTOP);
	wait_pipe();
}

static void run_on(void)
{
	for (volatile int i = 0;; i++)
		;
}

static const struct {
	const char *name;
	void (*work)(void);
	enum ledger_state state;
} children[] = {
	{ "pipe", wait_pipe, LEDGER_IPC },
	{ "send", wait_send, LEDGER_SEND },
	{ "unix", wait_unix, LEDGER_IPC },
	{ "udp", wait_udp, LEDGER_NETWORK },
	{ "futex", wait_futex, LEDGER_LOCK },
	{ "sleep", wait_sleep, LEDGER_SLEEP },
	{ "poll both", wait_poll_both, LEDGER_NETWORK },
	{ "poll pipe", wait_poll_pipe, LEDGER_IPC },
	{ "select event", wait_select_event, LEDGER_IPC },
	{ "epoll timer", wait_epoll_timer, LEDGER_SLEEP },
	{ "stopped", wait_stopped, LEDGER_OTHER },
	{ "runs", run_on, LEDGER_CPU },
};

static void pause_ms(long ms)
{
	const struct timespec time = { .tv_nsec = ms * 1000000 };

	nanosleep(&time, NULL);
}

/* The child sets out for its wait, and is there before long; each look is right or too early. */
static void looks_at_children(void **state)
{
	struct proc_sockets *sockets = proc_sockets_new("");

	(void)state;
	assert_non_null(sockets);
	for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++) {
		struct proc_fds files;
		struct proc_look look;
		int found = -1;
		pid_t pid;

		assert_int_equal(pipe(ends), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			children[i].work();
			_exit(0);
		}
		proc_fds_init(&files, pid);
		proc_look_init(&look);
		for (int n = 0; n < 200 && found != (int)children[i].state; n++) {
			pause_ms(10);
			assert_int_equal(proc_look_now(&look, &files, sockets, pid,
						       time_now_ns(CLOCK_MONOTONIC)),
					 0);
			found = n > 1 ? (int)look.state : -1;
		}
		if (found != (int)children[i].state)
			fail_msg("%s: state %d in place of %d", children[i].name, found,
				 (int)children[i].state);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_int_equal(proc_look_now(&look, &files, sockets, pid, 1), -ESRCH);
		proc_look_close(&look);
		proc_fds_close(&files);
		close(ends[0]);
		close(ends[1]);
	}
	proc_sockets_free(sockets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_and_descriptors),
		cmocka_unit_test(polls),
		cmocka_unit_test(kernel_functions),
		cmocka_unit_test(calls_that_may_not_be_read),
		cmocka_unit_test(times_are_shared_out),
		cmocka_unit_test(sleep_between_looks),
		cmocka_unit_test(the_waiting_clock),
		cmocka_unit_test(spared_looks_count),
		cmocka_unit_test(looks_at_children),
	};

	return cmocka_run_group_tests_name("proc_states", tests, NULL, NULL);
}
