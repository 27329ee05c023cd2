// SPDX-License-Identifier: BSD-2-Clause
#include "commands/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "commands/account.h"

/* Who called sudo. */
struct caller {
	bool known;
	uid_t uid;
	gid_t gid;
};

static int parse_id(const char *name, const char *text, unsigned int *id, struct fault *fault)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || value >= UINT_MAX)
		return fault_set(fault, -EINVAL, "%s=\"%s\" in the environment is not an id", name,
				 text);
	*id = (unsigned int)value;
	return 0;
}

static int find_caller(struct caller *caller, struct fault *fault)
{
	const char *uid = getenv("SUDO_UID"), *gid = getenv("SUDO_GID");
	int err;

	/* Half of the pair must not mean root. */
	if (geteuid() == 0 && !uid != !gid)
		return fault_set(fault, -EINVAL,
				 "SUDO_UID and SUDO_GID must be set both or neither");
	*caller = (struct caller){ .known = geteuid() == 0 && uid && gid };
	if (!caller->known)
		return 0;
	err = parse_id("SUDO_UID", uid, &caller->uid, fault);
	return err ? err : parse_id("SUDO_GID", gid, &caller->gid, fault);
}

/* In the child: become the caller. Returns 0 or an errno. */
static int become(const struct caller *caller)
{
	struct account account;

	account_read(&account, caller->uid, caller->gid);
	if (setgroups((size_t)account.group_count, account.groups) ||
	    setresgid(caller->gid, caller->gid, caller->gid) ||
	    setresuid(caller->uid, caller->uid, caller->uid))
		return errno;
	/* sudo has put root's there. */
	if (account.named && (setenv("HOME", account.home, 1) || setenv("USER", account.name, 1) ||
			      setenv("LOGNAME", account.name, 1)))
		return errno;
	return 0;
}

static void run_child(int go_fd, int report_fd, char **argv, const struct caller *caller,
		      const sigset_t *signals, sighandler_t sigchld)
{
	int err = caller->known ? become(caller) : 0;
	char go;

	/* End of file instead of a byte: whystall gave up or was killed. */
	if (read(go_fd, &go, 1) != 1)
		_exit(EXIT_RUNTIME);
	if (!err) {
		signal(SIGPIPE, SIG_DFL);
		signal(SIGCHLD, sigchld);
		sigprocmask(SIG_SETMASK, signals, NULL);
		execvp(argv[0], argv);
		err = errno;
	}
	if (write(report_fd, &err, sizeof(err)) != sizeof(err))
		_exit(EXIT_RUNTIME);
	_exit(EXIT_NOT_EXECUTABLE);
}

int program_start(struct program *program, char **argv, const sigset_t *signals,
		  struct fault *fault)
{
	int go[2], report[2];
	struct caller caller = { .known = false };
	sighandler_t sigchld;
	int err = find_caller(&caller, fault);

	if (err)
		return err;
	/* Where the caller ignores it, the kernel would keep the exit status to itself. */
	sigchld = signal(SIGCHLD, SIG_DFL);
	if (pipe2(go, O_CLOEXEC))
		return fault_set(fault, -errno, "cannot make a pipe: %s", strerror(errno));
	if (pipe2(report, O_CLOEXEC)) {
		err = -errno;
		close(go[0]);
		close(go[1]);
		return fault_set(fault, err, "cannot make a pipe: %s", strerror(-err));
	}
	program->pid = fork();
	if (program->pid == 0) {
		close(go[1]);
		close(report[0]);
		run_child(go[0], report[1], argv, &caller, signals, sigchld);
	}
	err = program->pid < 0 ? -errno : 0;
	close(go[0]);
	close(report[1]);
	program->go_fd = go[1];
	program->report_fd = report[0];
	if (err) {
		program->pid = 0;
		close(go[1]);
		close(report[0]);
		return fault_set(fault, err, "cannot start a process: %s", strerror(-err));
	}
	return 0;
}

static int exec_fault(struct fault *fault, int err, const char *name)
{
	if (err == ENOENT || err == ENOTDIR)
		return fault_set_exit(
			fault, EXIT_NOT_FOUND, -err,
			strchr(name, '/') ?
				"cannot find the program \"%s\": %s" :
				"cannot find the program \"%s\": %s; sudo's PATH is not "
				"yours, try: sudo env PATH=$PATH whystall ...",
			name, strerror(err));
	return fault_set_exit(fault, EXIT_NOT_EXECUTABLE, -err, "cannot run the program \"%s\": %s",
			      name, strerror(err));
}

int program_release(struct program *program, char **argv, struct fault *fault)
{
	int child_errno;
	ssize_t n;

	if (write(program->go_fd, "g", 1) != 1)
		return fault_set(fault, -errno, "cannot start the program \"%s\": %s", argv[0],
				 strerror(errno));
	close(program->go_fd);
	program->go_fd = -1;
	/* Closed by a successful exec. */
	do
		n = read(program->report_fd, &child_errno, sizeof(child_errno));
	while (n < 0 && errno == EINTR);
	close(program->report_fd);
	program->report_fd = -1;
	if (n != sizeof(child_errno))
		return 0;
	program_reap(program, true);
	return exec_fault(fault, child_errno, argv[0]);
}

bool program_is_over(const struct program *program)
{
	siginfo_t info = { .si_pid = 0 };

	if (program->ended)
		return true;
	return waitid(P_PID, (id_t)program->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	       info.si_pid != 0;
}

void program_reap(struct program *program, bool block)
{
	pid_t pid;

	if (!program->pid || program->ended)
		return;
	do
		pid = waitpid(program->pid, &program->wait_status, block ? 0 : WNOHANG);
	while (pid < 0 && errno == EINTR);
	program->ended = pid != 0;
}

int program_exit_code(const struct program *program)
{
	if (WIFSIGNALED(program->wait_status))
		return EXIT_SIGNAL_BASE + WTERMSIG(program->wait_status);
	return WEXITSTATUS(program->wait_status);
}

void program_discard(struct program *program)
{
	if (!program->pid || program->go_fd < 0)
		return;
	close(program->go_fd);
	close(program->report_fd);
	program->go_fd = -1;
	program->report_fd = -1;
	program_reap(program, true);
}
