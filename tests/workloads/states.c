// SPDX-License-Identifier: BSD-2-Clause
/*
 * Spends known time in known states: the ground truth for the ledger.
 *
 *   states [-t SECONDS] NAME [ARGUMENT...]
 *
 * A child is in the state from its first to nearly its last instant; helpers beside it do what it waits for.
 * When it has ended, and while it is still there as a zombie, the kernel's own account of it is read. Prints one
 * line of JSON: the child's pid, how long it lived, how long it measured itself to be in the state, and from
 * its schedstat the nanoseconds it ran and waited for a processor.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ring.h"

enum { NS_PER_S = 1000000000, STEPS = 10, BLOCK = 4096 };

static double state_s = 1;
static char **arguments;

/* Seen by parent, child and helpers. */
static struct shared {
	double inside_s;
	uint32_t futex;
	uint32_t done;
} * shared;

static void fail(const char *what)
{
	fprintf(stderr, "states: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static double now_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / NS_PER_S;
}

static void pause_s(double s)
{
	struct timespec t = { (time_t)s, (long)((s - (double)(time_t)s) * NS_PER_S) };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static void check(long result, const char *what)
{
	if (result < 0)
		fail(what);
}

/* Another process that runs `work` and ends. */
static pid_t helper(void (*work)(int), int fd)
{
	pid_t pid = fork();

	check(pid, "fork");
	if (pid)
		return pid;
	work(fd);
	_exit(0);
}

static void spin(void)
{
	double start = now_s(CLOCK_THREAD_CPUTIME_ID);

	while (now_s(CLOCK_THREAD_CPUTIME_ID) - start < state_s)
		;
}

static void do_sleep(void)
{
	pause_s(state_s);
}

/* Sends a byte after each of STEPS parts of the time. */
static void send_slowly(int fd)
{
	for (int i = 0; i < STEPS; i++) {
		pause_s(state_s / STEPS);
		check(write(fd, "x", 1), "write");
	}
}

/* The same through an eventfd. */
static void post_slowly(int fd)
{
	uint64_t one = 1;

	for (int i = 0; i < STEPS; i++) {
		pause_s(state_s / STEPS);
		check(write(fd, &one, sizeof(one)), "write");
	}
}

static void read_all(int fd)
{
	char byte;

	for (int i = 0; i < STEPS; i++)
		check(read(fd, &byte, 1), "read");
}

static void do_pipe(void)
{
	int fds[2];

	check(pipe(fds), "pipe");
	helper(send_slowly, fds[1]);
	read_all(fds[0]);
}

static void open_slowly(int fd)
{
	(void)fd;
	pause_s(state_s);
	check(open(arguments[0], O_WRONLY), arguments[0]);
}

/* It waits until the other end of a named pipe is opened. */
static void do_open_fifo(void)
{
	check(mkfifo(arguments[0], 0600), arguments[0]);
	helper(open_slowly, -1);
	check(open(arguments[0], O_RDONLY), arguments[0]);
}

static void do_unix(void)
{
	int fds[2];

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), "socketpair");
	helper(send_slowly, fds[1]);
	read_all(fds[0]);
}

static void do_eventfd(void)
{
	int fd = eventfd(0, 0);
	uint64_t value;

	check(fd, "eventfd");
	helper(post_slowly, fd);
	/* Two posts may be read as one. */
	for (uint64_t got = 0; got < STEPS; got += value)
		check(read(fd, &value, sizeof(value)), "read");
}

/* Two ends of a connection over the loopback. */
static void tcp_pair(int *reader, int *writer)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	check(listener, "socket");
	check(bind(listener, (struct sockaddr *)&address, len), "bind");
	check(listen(listener, 1), "listen");
	check(getsockname(listener, (struct sockaddr *)&address, &len), "getsockname");
	*writer = socket(AF_INET, SOCK_STREAM, 0);
	check(*writer, "socket");
	check(connect(*writer, (struct sockaddr *)&address, len), "connect");
	*reader = accept(listener, NULL, NULL);
	check(*reader, "accept");
	close(listener);
}

static void do_tcp(void)
{
	int reader, writer;

	tcp_pair(&reader, &writer);
	helper(send_slowly, writer);
	read_all(reader);
}

static void do_tcp_timeout(void)
{
	struct timeval limit = { .tv_sec = 60 };
	int reader, writer;

	tcp_pair(&reader, &writer);
	check(setsockopt(reader, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), "setsockopt");
	helper(send_slowly, writer);
	read_all(reader);
}

/* As Python's sockets with a timeout do. */
static void do_tcp_poll(void)
{
	int reader, writer;

	tcp_pair(&reader, &writer);
	helper(send_slowly, writer);
	for (int i = 0; i < STEPS; i++) {
		struct pollfd fd = { .fd = reader, .events = POLLIN };
		char byte;

		check(poll(&fd, 1, 60000), "poll");
		check(read(reader, &byte, 1), "read");
	}
}

static void epoll_read(const int *fds, int count)
{
	int epoll = epoll_create1(0);

	check(epoll, "epoll_create1");
	for (int i = 0; i < count; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fds[i] };

		check(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event), "epoll_ctl");
	}
	for (int i = 0; i < STEPS; i++) {
		struct epoll_event event;
		char byte[8];

		check(epoll_wait(epoll, &event, 1, -1), "epoll_wait");
		check(read(event.data.fd, byte, sizeof(byte)), "read");
	}
}

/* Two INET sockets and a pipe in one epoll; what comes, comes by a socket. */
static void do_epoll_mixed(void)
{
	int fds[3], others[2], pipe_fds[2];

	check(pipe(pipe_fds), "pipe");
	tcp_pair(&fds[0], &others[0]);
	tcp_pair(&fds[1], &others[1]);
	fds[2] = pipe_fds[0];
	helper(send_slowly, others[1]);
	epoll_read(fds, 3);
}

/* More than one level of the tree of an epoll: the one socket is among 40 pipes. */
static void do_epoll_many(void)
{
	int fds[41], pipe_fds[2], writer;

	for (int i = 0; i < 40; i++) {
		check(pipe(pipe_fds), "pipe");
		fds[i] = pipe_fds[0];
	}
	tcp_pair(&fds[40], &writer);
	helper(send_slowly, writer);
	epoll_read(fds, 41);
}

static void do_epoll_pipe(void)
{
	int fds[2];

	check(pipe(fds), "pipe");
	helper(send_slowly, fds[1]);
	epoll_read(fds, 1);
}

static int periodic_timer(void)
{
	long ns = (long)(state_s / STEPS * NS_PER_S);
	struct itimerspec time = { .it_interval.tv_nsec = ns, .it_value.tv_nsec = ns };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	check(fd, "timerfd_create");
	check(timerfd_settime(fd, 0, &time, NULL), "timerfd_settime");
	return fd;
}

static void do_timerfd(void)
{
	int fd = periodic_timer();
	uint64_t value;

	for (int i = 0; i < STEPS; i++)
		check(read(fd, &value, sizeof(value)), "read");
}

static void do_epoll_timer(void)
{
	int fd = periodic_timer();

	epoll_read(&fd, 1);
}

static void do_poll_none(void)
{
	check(poll(NULL, 0, (int)(state_s * 1000)), "poll");
}

static void do_poll_pipe(void)
{
	int fds[2];
	struct pollfd polled;

	check(pipe(fds), "pipe");
	polled = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	check(poll(&polled, 1, (int)(state_s * 1000)), "poll");
}

static void do_select_none(void)
{
	struct timeval time = { (time_t)state_s,
				(long)((state_s - (double)(time_t)state_s) * 1e6) };

	check(select(0, NULL, NULL, NULL, &time), "select");
}

/* A descriptor in the second word of the sets, among others. */
static void do_select_tcp(void)
{
	struct timeval time = { (time_t)state_s,
				(long)((state_s - (double)(time_t)state_s) * 1e6) };
	int reader, writer, fds[2], high = 100;
	fd_set set;

	tcp_pair(&reader, &writer);
	check(pipe(fds), "pipe");
	check(dup2(reader, high), "dup2");
	FD_ZERO(&set);
	FD_SET(fds[0], &set);
	FD_SET(high, &set);
	check(select(high + 1, &set, NULL, NULL, &time), "select");
}

static void wake_slowly(int fd)
{
	(void)fd;
	for (int i = 0; i < STEPS; i++) {
		pause_s(state_s / STEPS);
		__atomic_add_fetch(&shared->futex, 1, __ATOMIC_SEQ_CST);
		check(syscall(SYS_futex, &shared->futex, FUTEX_WAKE, 1, NULL, NULL, 0), "futex");
	}
}

static void do_futex(void)
{
	helper(wake_slowly, -1);
	for (;;) {
		uint32_t value = __atomic_load_n(&shared->futex, __ATOMIC_SEQ_CST);

		if (value == STEPS)
			return;
		syscall(SYS_futex, &shared->futex, FUTEX_WAIT, value, NULL, NULL, 0);
	}
}

static void hold_lock(int fd)
{
	int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	check(own, "open");
	check(flock(own, LOCK_EX), "flock");
	check(write(fd, "x", 1), "write");
	pause_s(state_s);
}

static void do_flock(void)
{
	int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), fds[2];
	char byte;

	check(own, "open");
	check(pipe(fds), "pipe");
	helper(hold_lock, fds[1]);
	check(read(fds[0], &byte, 1), "read");
	check(flock(own, LOCK_EX), "flock");
}

static void only_sleep(int fd)
{
	(void)fd;
	pause_s(state_s);
}

static void do_wait(void)
{
	check(waitpid(helper(only_sleep, -1), NULL, 0), "waitpid");
}

static void do_vfork(void)
{
	/* The memory is shared until then: the child of vfork may do little, and this is little. */
	pid_t pid = vfork();

	check(pid, "vfork");
	if (!pid) {
		pause_s(state_s);
		_exit(0);
	}
}

static void do_message_queue(void)
{
	struct {
		long type;
		char text[1];
	} message = { 1, "x" };
	int queue = msgget(IPC_PRIVATE, 0600);

	check(queue, "msgget");
	if (!fork()) {
		pause_s(state_s);
		check(msgsnd(queue, &message, sizeof(message.text), 0), "msgsnd");
		_exit(0);
	}
	check(msgrcv(queue, &message, sizeof(message.text), 0, 0), "msgrcv");
	msgctl(queue, IPC_RMID, NULL);
}

static void stop_parent(int fd)
{
	pid_t parent = getppid();

	(void)fd;
	check(kill(parent, SIGSTOP), "kill");
	pause_s(state_s);
	check(kill(parent, SIGCONT), "kill");
}

/* Stopped within moments; then the rest of its life is short. */
static void do_stopped(void)
{
	pid_t pid = helper(stop_parent, -1);

	check(waitpid(pid, NULL, 0), "waitpid");
}

/* Stopped for moments, while it is asleep. */
static void stop_parent_shortly(int fd)
{
	pid_t parent = getppid();

	(void)fd;
	pause_s(state_s / STEPS);
	check(kill(parent, SIGSTOP), "kill");
	pause_s(0.001);
	check(kill(parent, SIGCONT), "kill");
}

static void do_sleep_interrupted(void)
{
	helper(stop_parent_shortly, -1);
	pause_s(state_s);
}

static void do_pause(void)
{
	struct timespec time = { (time_t)state_s,
				 (long)((state_s - (double)(time_t)state_s) * NS_PER_S) };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigtimedwait(&set, NULL, &time);
}

/* States on a file: its path is the argument. Each measures the time inside its calls. */

static void *block_buffer(void)
{
	void *buffer = NULL;

	if (posix_memalign(&buffer, BLOCK, 1 << 20))
		fail("posix_memalign");
	memset(buffer, 'x', 1 << 20);
	return buffer;
}

static void read_blocks(int flags)
{
	int fd = open(arguments[0], O_RDONLY | flags);
	char *buffer = block_buffer();
	double start;
	off_t bytes;

	check(fd, arguments[0]);
	bytes = lseek(fd, 0, SEEK_END);
	start = now_s(CLOCK_MONOTONIC);
	for (off_t at = 0; now_s(CLOCK_MONOTONIC) - start < state_s; at += 64 * BLOCK)
		check(pread(fd, buffer, BLOCK, at % bytes), "pread");
	shared->inside_s = now_s(CLOCK_MONOTONIC) - start;
}

static void do_read(void)
{
	read_blocks(0);
}

static void do_read_direct(void)
{
	read_blocks(O_DIRECT);
}

static void do_map(void)
{
	int fd = open(arguments[0], O_RDONLY);
	off_t bytes = lseek(fd, 0, SEEK_END);
	volatile char *map = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	double start = now_s(CLOCK_MONOTONIC);

	if (map == MAP_FAILED)
		fail("mmap");
	madvise((void *)map, (size_t)bytes, MADV_RANDOM);
	for (off_t at = 0; at < bytes && now_s(CLOCK_MONOTONIC) - start < state_s; at += 16 * BLOCK)
		(void)map[at];
	shared->inside_s = now_s(CLOCK_MONOTONIC) - start;
}

/* A write of mapped, cold memory: the fault is inside the system call. */
static void do_write_of_map(void)
{
	int fd = open(arguments[0], O_RDONLY), out = open("/dev/shm", O_TMPFILE | O_WRONLY, 0600);
	off_t bytes = lseek(fd, 0, SEEK_END);
	char *map = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	double start = now_s(CLOCK_MONOTONIC);

	check(out, "/dev/shm");
	if (map == MAP_FAILED)
		fail("mmap");
	madvise(map, (size_t)bytes, MADV_RANDOM);
	for (off_t at = 0; at < bytes && now_s(CLOCK_MONOTONIC) - start < state_s; at += 16 * BLOCK)
		check(pwrite(out, map + at, BLOCK, 0), "pwrite");
	shared->inside_s = now_s(CLOCK_MONOTONIC) - start;
}

static void do_fsync(void)
{
	int fd = open(arguments[0], O_WRONLY | O_CREAT, 0600);
	char *buffer = block_buffer();
	double begin = now_s(CLOCK_MONOTONIC);

	check(fd, arguments[0]);
	while (now_s(CLOCK_MONOTONIC) - begin < state_s) {
		double start;

		check(pwrite(fd, buffer, BLOCK, 0), "pwrite");
		start = now_s(CLOCK_MONOTONIC);
		check(fsync(fd), "fsync");
		shared->inside_s += now_s(CLOCK_MONOTONIC) - start;
	}
}

static void do_write_direct(void)
{
	int fd = open(arguments[0], O_WRONLY | O_CREAT | O_DIRECT, 0600);
	char *buffer = block_buffer();
	double start = now_s(CLOCK_MONOTONIC);

	check(fd, arguments[0]);
	while (now_s(CLOCK_MONOTONIC) - start < state_s)
		check(pwrite(fd, buffer, BLOCK, 0), "pwrite");
	shared->inside_s = now_s(CLOCK_MONOTONIC) - start;
}

/* Writes through the page cache until the kernel holds it back. */
static void do_write_much(void)
{
	int fd = open(arguments[0], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	off_t limit = arguments[1] ? strtoll(arguments[1], NULL, 10) : 1 << 30;
	char *buffer = block_buffer();
	double start = now_s(CLOCK_MONOTONIC);

	check(fd, arguments[0]);
	for (off_t at = 0; now_s(CLOCK_MONOTONIC) - start < state_s; at = (at + (1 << 20)) % limit)
		check(pwrite(fd, buffer, 1 << 20, at), "pwrite");
	shared->inside_s = now_s(CLOCK_MONOTONIC) - start;
}

/* Asynchronous reads, as databases and fio do: io_getevents is where it waits. */
static void do_aio(void)
{
	int fd = open(arguments[0], O_RDONLY | O_DIRECT);
	char *buffer = block_buffer();
	aio_context_t context = 0;
	double start;

	check(fd, arguments[0]);
	check(syscall(SYS_io_setup, 4, &context), "io_setup");
	start = now_s(CLOCK_MONOTONIC);
	for (off_t at = 0; now_s(CLOCK_MONOTONIC) - start < state_s; at += BLOCK) {
		struct iocb block = { .aio_fildes = (uint32_t)fd,
				      .aio_lio_opcode = IOCB_CMD_PREAD,
				      .aio_buf = (uint64_t)(uintptr_t)buffer,
				      .aio_nbytes = BLOCK,
				      .aio_offset = at };
		struct iocb *list[] = { &block };
		struct io_event event;

		check(syscall(SYS_io_submit, context, 1, list), "io_submit");
		check(syscall(SYS_io_getevents, context, 1, 1, &event, NULL), "io_getevents");
	}
	shared->inside_s = now_s(CLOCK_MONOTONIC) - start;
}

/* Names in a folder, which one of the ring's workers looks up. */
static void do_uring_stat(void)
{
	double start = now_s(CLOCK_MONOTONIC);
	struct statx found;
	struct ring ring;
	char path[4096];

	ring_open(&ring);
	for (int i = 0; now_s(CLOCK_MONOTONIC) - start < state_s; i++) {
		struct io_uring_sqe stat = { .opcode = IORING_OP_STATX,
					     .fd = AT_FDCWD,
					     .addr = (uint64_t)(uintptr_t)path,
					     .len = STATX_SIZE,
					     .addr2 = (uint64_t)(uintptr_t)&found };

		snprintf(path, sizeof(path), "%s/no-such-file-%d", arguments[0], i);
		if (ring_do(&ring, &stat) != -ENOENT)
			fail("statx by io_uring");
	}
	shared->inside_s = now_s(CLOCK_MONOTONIC) - start;
}

static void do_uring_timeout(void)
{
	struct __kernel_timespec step = { .tv_nsec = (long long)(state_s / STEPS * NS_PER_S) };
	struct io_uring_sqe timeout = { .opcode = IORING_OP_TIMEOUT,
					.addr = (uint64_t)(uintptr_t)&step,
					.len = 1 };
	struct ring ring;

	ring_open(&ring);
	for (int i = 0; i < STEPS; i++)
		if (ring_do(&ring, &timeout) != -ETIME)
			fail("a timeout of io_uring");
}

/* A ring, and the request for a byte from a socket that gets one now and then. */
static struct io_uring_sqe open_ring_on_tcp(struct ring *ring, char *byte)
{
	int reader, writer;

	tcp_pair(&reader, &writer);
	helper(send_slowly, writer);
	close(writer);
	ring_open(ring);
	return (struct io_uring_sqe){
		.opcode = IORING_OP_RECV, .fd = reader, .addr = (uint64_t)(uintptr_t)byte, .len = 1
	};
}

static void do_uring_tcp(void)
{
	struct ring ring;
	char c;
	struct io_uring_sqe receive = open_ring_on_tcp(&ring, &c);
	int result;

	while ((result = ring_do(&ring, &receive)) > 0)
		;
	if (result < 0)
		fail("recv by io_uring");
}

/* It waits for a time, in a ring that has had a request and has none. */
static void do_uring_idle(void)
{
	struct __kernel_timespec step = { .tv_nsec = (long long)(state_s / STEPS * NS_PER_S) };
	struct io_uring_sqe nothing = { .opcode = IORING_OP_NOP };
	struct ring ring;

	ring_open(&ring);
	ring_do(&ring, &nothing);
	for (int i = 0; i < STEPS; i++)
		if (ring_enter(&ring, 0, &step))
			fail("a ring without requests");
}

/* A socket, and eventfds that others would use to wake it. */
static void do_uring_many(void)
{
	uint64_t count;
	struct ring ring;
	char c;
	struct io_uring_sqe receive = open_ring_on_tcp(&ring, &c);

	for (uint64_t i = 1; i <= 4; i++) {
		struct io_uring_sqe wake = { .opcode = IORING_OP_READ,
					     .fd = eventfd(0, 0),
					     .addr = (uint64_t)(uintptr_t)&count,
					     .len = sizeof(count),
					     .user_data = i };

		ring_add(&ring, &wake);
	}
	ring_add(&ring, &receive);
	ring_enter(&ring, 5, NULL);
	while (ring_take(&ring) == 1) {
		ring_add(&ring, &receive);
		ring_enter(&ring, 1, NULL);
	}
}

/* Names in a folder, looked up one after the other. */
static void do_stat(void)
{
	double start = now_s(CLOCK_MONOTONIC);
	struct stat st;
	char path[4096];

	for (int i = 0; now_s(CLOCK_MONOTONIC) - start < state_s; i++) {
		snprintf(path, sizeof(path), "%s/no-such-file-%d", arguments[0], i);
		if (stat(path, &st) == 0)
			fail("stat found what should not be there");
	}
	shared->inside_s = now_s(CLOCK_MONOTONIC) - start;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

static void spin_beside(int fd)
{
	(void)fd;
	pin(0);
	while (!__atomic_load_n(&shared->done, __ATOMIC_RELAXED))
		;
}

/* One of three on one processor. */
static void do_crowded(void)
{
	double start = now_s(CLOCK_MONOTONIC);

	pin(0);
	helper(spin_beside, -1);
	helper(spin_beside, -1);
	while (now_s(CLOCK_MONOTONIC) - start < state_s)
		;
	__atomic_store_n(&shared->done, 1, __ATOMIC_RELAXED);
	shared->inside_s = now_s(CLOCK_MONOTONIC) - start;
}

static int ping[2], pong[2];

static void answer(int fd)
{
	char byte;

	(void)fd;
	pin((int)sysconf(_SC_NPROCESSORS_ONLN) - 1);
	while (read(ping[0], &byte, 1) == 1 && byte == 'x')
		check(write(pong[1], &byte, 1), "write");
}

/* Each is woken while the other is just about to sleep. */
static void do_ping_pong(void)
{
	double start = now_s(CLOCK_MONOTONIC);
	char byte = 'x';

	check(pipe(ping), "pipe");
	check(pipe(pong), "pipe");
	helper(answer, -1);
	pin(0);
	while (now_s(CLOCK_MONOTONIC) - start < state_s) {
		check(write(ping[1], "x", 1), "write");
		check(read(pong[0], &byte, 1), "read");
	}
	check(write(ping[1], "e", 1), "write");
	shared->inside_s = now_s(CLOCK_MONOTONIC) - start;
}

static void *thread_sleep(void *unused)
{
	(void)unused;
	pause_s(0.002);
	return NULL;
}

/* Thousands of threads of 2 ms, up to 50 at a time: what they did is their process's. */
static void do_short_threads(void)
{
	enum { AT_ONCE = 50 };
	pthread_t threads[AT_ONCE];
	int count = arguments[0] ? atoi(arguments[0]) : 2000;

	for (int done = 0; done < count; done += AT_ONCE) {
		for (int i = 0; i < AT_ONCE; i++)
			if (pthread_create(&threads[i], NULL, thread_sleep, NULL))
				fail("pthread_create");
		for (int i = 0; i < AT_ONCE; i++)
			pthread_join(threads[i], NULL);
	}
}

static void *thread_wait(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&shared->done, __ATOMIC_RELAXED))
		syscall(SYS_futex, &shared->done, FUTEX_WAIT, 0, NULL, NULL, 0);
	return NULL;
}

/* So many threads at the same time. */
static void do_many_threads(void)
{
	int count = atoi(arguments[0]);
	pthread_t *threads = calloc((size_t)count, sizeof(*threads));
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	for (int i = 0; i < count; i++)
		if (pthread_create(&threads[i], &attributes, thread_wait, NULL))
			fail("pthread_create");
	pause_s(state_s);
	__atomic_store_n(&shared->done, 1, __ATOMIC_RELAXED);
	syscall(SYS_futex, &shared->done, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

/* A chain of so many programs in one process: each is this one again. */
static void do_exec_chain(void)
{
	int left = atoi(arguments[0]);
	char count[16], time[32];

	pause_s(state_s / 10);
	if (!left)
		return;
	snprintf(count, sizeof(count), "%d", left - 1);
	snprintf(time, sizeof(time), "%f", state_s);
	execl("/proc/self/exe", "states", "-x", "-t", time, "exec_chain", count, NULL);
	fail("exec");
}

static void *thread_exec(void *unused)
{
	(void)unused;
	execl("/proc/self/exe", "states", "-x", "-t", "0.3", "sleep", NULL);
	fail("exec");
	return NULL;
}

/* A thread that is not the leader calls exec, and goes on as the leader. */
static void do_exec_of_thread(void)
{
	pthread_t thread;

	pause_s(state_s);
	if (pthread_create(&thread, NULL, thread_exec, NULL))
		fail("pthread_create");
	for (;;)
		pause();
}

static const struct {
	const char *name;
	void (*run)(void);
} states[] = {
	{ "spin", spin },
	{ "sleep", do_sleep },
	{ "pipe", do_pipe },
	{ "open_fifo", do_open_fifo },
	{ "unix", do_unix },
	{ "eventfd", do_eventfd },
	{ "tcp", do_tcp },
	{ "tcp_timeout", do_tcp_timeout },
	{ "tcp_poll", do_tcp_poll },
	{ "epoll_mixed", do_epoll_mixed },
	{ "epoll_many", do_epoll_many },
	{ "epoll_pipe", do_epoll_pipe },
	{ "epoll_timer", do_epoll_timer },
	{ "timerfd", do_timerfd },
	{ "poll_none", do_poll_none },
	{ "poll_pipe", do_poll_pipe },
	{ "select_none", do_select_none },
	{ "select_tcp", do_select_tcp },
	{ "futex", do_futex },
	{ "flock", do_flock },
	{ "wait", do_wait },
	{ "vfork", do_vfork },
	{ "message_queue", do_message_queue },
	{ "stopped", do_stopped },
	{ "sleep_interrupted", do_sleep_interrupted },
	{ "pause", do_pause },
	{ "read", do_read },
	{ "read_direct", do_read_direct },
	{ "map", do_map },
	{ "write_of_map", do_write_of_map },
	{ "fsync", do_fsync },
	{ "write_direct", do_write_direct },
	{ "write_much", do_write_much },
	{ "aio", do_aio },
	{ "uring_stat", do_uring_stat },
	{ "uring_timeout", do_uring_timeout },
	{ "uring_tcp", do_uring_tcp },
	{ "uring_idle", do_uring_idle },
	{ "uring_many", do_uring_many },
	{ "stat", do_stat },
	{ "crowded", do_crowded },
	{ "ping_pong", do_ping_pong },
	{ "short_threads", do_short_threads },
	{ "many_threads", do_many_threads },
	{ "exec_chain", do_exec_chain },
	{ "exec_of_thread", do_exec_of_thread },
};

static void run_state(const char *name)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (strcmp(states[i].name, name) == 0) {
			states[i].run();
			return;
		}
	errno = EINVAL;
	fail(name);
}

/* A zombie's account is complete. */
static void print_account(pid_t pid, double life_s)
{
	unsigned long long cpu_ns, runqueue_ns;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu %llu", &cpu_ns, &runqueue_ns) != 2)
		fail(path);
	fclose(f);
	printf("{\"pid\": %d, \"life_s\": %.9f, \"inside_s\": %.9f, \"cpu_ns\": %llu, "
	       "\"runqueue_ns\": %llu}\n",
	       pid, life_s, shared->inside_s, cpu_ns, runqueue_ns);
}

int main(int argc, char **argv)
{
	int option, status_only = 0;
	siginfo_t info;
	double start;
	pid_t pid;

	while ((option = getopt(argc, argv, "+t:x")) != -1)
		if (option == 't')
			state_s = atof(optarg);
		else if (option == 'x')
			status_only = 1; /* started by exec: this process is in the state itself */
		else
			return 64;
	if (optind >= argc)
		return 64;
	arguments = argv + optind + 1;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		fail("mmap");
	if (status_only) {
		run_state(argv[optind]);
		return 0;
	}
	start = now_s(CLOCK_MONOTONIC);
	pid = fork();
	check(pid, "fork");
	if (!pid) {
		run_state(argv[optind]);
		_exit(0);
	}
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT))
		if (errno != EINTR)
			fail("waitid");
	if (info.si_code != CLD_EXITED || info.si_status != 0)
		return 1;
	print_account(pid, now_s(CLOCK_MONOTONIC) - start);
	return 0;
}
