// SPDX-License-Identifier: BSD-2-Clause
#include "commands/follow.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* Roles are looked for in each of so many first intervals, then once in as many. */
enum { OFTEN = 8, KEPT_ENDED = 1024, KEPT_LIMITS = 64 };

/* In one interval the limits of so many trainers are read. Most jobs have no more. */
enum { LIMITS_LOOKS = 16 };

static bool limits_known(const struct follow *follow, pid_t pid)
{
	size_t i = 0;

	while (i < follow->limits_count && follow->limits[i].pid != pid)
		i++;
	return i < follow->limits_count;
}

static int add_limits(struct follow *follow, pid_t pid)
{
	struct limits limits, *more;

	if (limits_read(follow->limits_reader, &limits, pid))
		return 0;
	more = reallocarray(follow->limits, follow->limits_count + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	limits.held_back_before_ns = limits.held_back_ns;
	follow->limits = more;
	follow->limits[follow->limits_count++] = limits;
	return 0;
}

/* What was known of one that is gone stays. */
static void read_limits_again(struct follow *follow, struct limits *known)
{
	struct limits limits;

	if (limits_read(follow->limits_reader, &limits, known->pid))
		return;
	limits.held_back_before_ns = known->held_back_before_ns;
	*known = limits;
}

/* Has it a thread that lives? Its first one may have ended before the others. */
static bool is_living(const struct loop *last, pid_t pid)
{
	ssize_t first = loop_find_thread(last, pid);

	if (first >= 0 && last->threads[first].pid == pid && !last->threads[first].ended)
		return true;
	for (size_t i = 0; i < last->thread_count; i++)
		if (last->threads[i].pid == pid && !last->threads[i].ended)
			return true;
	return false;
}

static bool is_living_trainer(const struct follow *follow, pid_t pid)
{
	const struct role *role = roles_of(&follow->roles, pid);

	return role && role->trainer_pid == pid && is_living(&follow->last, pid);
}

/* Of trainers that are new, as long as there is room: more than are judged are not looked at. */
static int look_at_new_limits(struct follow *follow)
{
	int err = 0;

	for (size_t i = 0, looks = 0; !err && i < follow->roles.count && looks < LIMITS_LOOKS &&
				      follow->limits_count < KEPT_LIMITS;
	     i++) {
		pid_t pid = follow->roles.list[i].pid;

		if (!is_living_trainer(follow, pid) || limits_known(follow, pid))
			continue;
		err = add_limits(follow, pid);
		looks++;
	}
	return err;
}

/* What the system lets trainers have: of those that were known before, a few in turn. */
static int look_at_limits(struct follow *follow)
{
	const size_t known = follow->limits_count;

	if (!follow->limits_reader)
		follow->limits_reader = limits_reader_new("");
	if (!follow->limits_reader)
		return -ENOMEM;
	limits_reader_begin(follow->limits_reader);
	for (size_t i = 0, looks = 0; i < known && looks < LIMITS_LOOKS; i++) {
		struct limits *next = &follow->limits[follow->limits_next++ % known];

		if (!is_living_trainer(follow, next->pid))
			continue;
		read_limits_again(follow, next);
		looks++;
	}
	return look_at_new_limits(follow);
}

static int assign(struct follow *follow, struct source *source)
{
	int err = roles_find(&follow->roles, &follow->scratch, &follow->seen, follow->trainer);

	for (size_t i = 0; !err && i < follow->roles.count; i++) {
		const struct role *role = &follow->roles.list[i];
		const struct loop_process *p = loop_find_process(&follow->seen, role->pid);
		const struct loop_process *trainer =
			loop_find_process(&follow->seen, role->trainer_pid);

		if (p && trainer)
			source_assign(source, p->owner, p->start_boot_ns, trainer->owner,
				      role->tid);
	}
	return err ? err : look_at_limits(follow);
}

int follow_tick(struct follow *follow, struct source *source, const struct sample *from,
		const struct sample *to)
{
	int err;

	scratch_reset(&follow->scratch);
	err = loop_build(&follow->last, &follow->scratch, from, to);
	if (!err)
		err = loop_add(&follow->seen, &follow->last);
	if (err)
		return err;
	/* A job may start threads and processes for days. */
	if (follow->seen.thread_count > 2 * follow->last.thread_count + KEPT_ENDED)
		loop_forget(&follow->seen, &follow->last);
	follow->ticks++;
	return follow_has_looked(follow) ? assign(follow, source) : 0;
}

bool follow_has_looked(const struct follow *follow)
{
	return follow->ticks <= OFTEN || follow->ticks % OFTEN == 0;
}

double cpus_allowed(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) :
							      (double)sysconf(_SC_NPROCESSORS_ONLN);
}

void follow_free(struct follow *follow)
{
	loop_free(&follow->seen);
	scratch_free(&follow->scratch);
	roles_free(&follow->roles);
	limits_reader_free(follow->limits_reader);
	free(follow->limits);
	follow->limits_reader = NULL;
	follow->limits = NULL;
	follow->limits_count = 0;
}
