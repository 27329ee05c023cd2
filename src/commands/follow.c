// SPDX-License-Identifier: BSD-2-Clause
#include "commands/follow.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* Roles are looked for in each of so many first intervals, then once in as many. */
enum { OFTEN = 8, KEPT_ENDED = 1024, KEPT_LIMITS = 64 };

/* Keep what the system lets a process have; what was known of one that is gone stays. More trainers
 * than are judged are not looked at. */
static int look_at_limits(struct follow *follow, pid_t pid)
{
	struct limits limits, *more;
	size_t i = 0;

	while (i < follow->limits_count && follow->limits[i].pid != pid)
		i++;
	if (i == KEPT_LIMITS || limits_read(&limits, pid, ""))
		return 0;
	if (i == follow->limits_count) {
		more = reallocarray(follow->limits, i + 1, sizeof(*more));
		if (!more)
			return -ENOMEM;
		follow->limits = more;
		follow->limits_count++;
		limits.held_back_before_ns = limits.held_back_ns;
	} else {
		limits.held_back_before_ns = follow->limits[i].held_back_before_ns;
	}
	follow->limits[i] = limits;
	return 0;
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
		if (role->pid == role->trainer_pid && p)
			err = look_at_limits(follow, role->pid);
	}
	return err;
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
	free(follow->limits);
	follow->limits = NULL;
	follow->limits_count = 0;
}
