// SPDX-License-Identifier: BSD-2-Clause
#include "collect/apart.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"

enum { MAX_ANSWER = 256 };

/* A message of data and descriptors; `control` must live as long as it. */
union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(APART_MAX_FDS * sizeof(int))];
};

static struct msghdr message_of(struct iovec *data, union control *control)
{
	return (struct msghdr){ .msg_iov = data,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(*control) };
}

static void send_answer(int sock, void *answer, size_t size, const int *fds, size_t fd_count)
{
	union control control = { 0 };
	struct iovec data = { .iov_base = answer, .iov_len = size };
	struct msghdr message = message_of(&data, &control);
	const size_t len = fd_count * sizeof(*fds);

	if (fd_count) {
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(len),
						   .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.header), fds, len);
		message.msg_controllen = CMSG_SPACE(len);
	} else {
		message.msg_control = NULL;
		message.msg_controllen = 0;
	}
	sendmsg(sock, &message, MSG_NOSIGNAL);
}

static int receive_answer(int sock, void *answer, size_t size, int *fds, size_t *fd_count)
{
	union control control = { 0 };
	struct iovec data = { .iov_base = answer, .iov_len = size };
	struct msghdr message = message_of(&data, &control);
	ssize_t n = recvmsg(sock, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	const struct cmsghdr *header;

	*fd_count = 0;
	if (n < 0)
		return -errno;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
		*fd_count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(*fds);
		memcpy(fds, CMSG_DATA(header), *fd_count * sizeof(*fds));
	}
	if ((size_t)n == size && !(message.msg_flags & MSG_CTRUNC))
		return 0;
	for (size_t i = 0; i < *fd_count; i++)
		close(fds[i]);
	*fd_count = 0;
	return -ECHILD;
}

/*
 * The child may stay for as long as the machine runs: it must hold nothing of whystall's, neither its links and maps nor the pipe
 * that somebody reads its output from. Maps that are mapped are not inherited (bpf_maps.c).
 */
static void close_others(int one, int other)
{
	const unsigned int low = (unsigned int)(one < other ? one : other);
	const unsigned int high = (unsigned int)(one < other ? other : one);

	if (low > 0)
		close_range(0, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

__attribute__((noreturn)) static void child(const struct apart_work *work, int sock)
{
	char answer[MAX_ANSWER] = { 0 };
	int fds[APART_MAX_FDS];
	size_t fd_count = 0;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid(); /* Ctrl-C is not for it */
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close_others(sock, work->keep_fd < 0 ? sock : work->keep_fd);
	work->run(work->context, answer, fds, &fd_count);
	send_answer(sock, answer, work->answer_size, fds, fd_count);
	_exit(0);
}

size_t apart_reap(struct apart *apart)
{
	size_t left = 0;

	for (size_t i = 0; i < APART_MAX_LEFT; i++) {
		if (apart->left[i] && waitpid(apart->left[i], NULL, WNOHANG) != 0)
			apart->left[i] = 0;
		if (apart->left[i])
			left++;
	}
	return left;
}

/* Until there is an answer, or the other end is closed. */
static int wait_for(int sock, uint64_t timeout_ns)
{
	const uint64_t end = time_now_ns(CLOCK_MONOTONIC) + timeout_ns;
	struct pollfd fd = { .fd = sock, .events = POLLIN };
	int n;

	do {
		uint64_t now = time_now_ns(CLOCK_MONOTONIC);

		n = poll(&fd, 1, now < end ? (int)((end - now) / NS_PER_MS) + 1 : 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? 0 : -ETIMEDOUT;
}

int apart_run(struct apart *apart, const struct apart_work *work, void *answer, int *fds,
	      size_t *fd_count)
{
	size_t place = 0;
	int sockets[2], err;
	pid_t pid;

	*fd_count = 0;
	if (work->answer_size > MAX_ANSWER)
		return -EINVAL;
	if (apart_reap(apart) == APART_MAX_LEFT)
		return -EBUSY;
	while (apart->left[place])
		place++;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	pid = fork();
	err = pid < 0 ? -errno : 0;
	if (pid == 0)
		child(work, sockets[1]);
	close(sockets[1]);
	if (!err) {
		apart->left[place] = pid;
		err = wait_for(sockets[0], work->timeout_ns);
		if (!err)
			err = receive_answer(sockets[0], answer, work->answer_size, fds, fd_count);
		/* It has nothing more to do; it ends when the file's system lets it. */
		kill(pid, SIGKILL);
	}
	close(sockets[0]);
	apart_reap(apart);
	return err;
}
