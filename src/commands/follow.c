// SPDX-License-Identifier: BSD-2-Clause
#include "commands/follow.h"

#include <sched.h>
#include <unistd.h>

/* Roles are looked for in each of so many first intervals, then once in as many. */
enum { OFTEN = 8, KEPT_ENDED = 1024 };

static int assign(struct follow *follow, struct bpf_source *source)
{
	int err;

	roles_free(&follow->roles);
	err = roles_find(&follow->roles, &follow->seen, follow->trainer);
	for (size_t i = 0; !err && i < follow->roles.count; i++) {
		const struct role *role = &follow->roles.list[i];
		const struct loop_process *p = loop_find_process(&follow->seen, role->pid);
		const struct loop_process *trainer =
			loop_find_process(&follow->seen, role->trainer_pid);

		if (p && trainer)
			bpf_source_assign(source, p->owner, p->start_boot_ns, trainer->owner,
					  role->tid);
	}
	return err;
}

int follow_tick(struct follow *follow, struct bpf_source *source, const struct sample *from,
		const struct sample *to)
{
	int err;

	loop_free(&follow->last);
	err = loop_build(&follow->last, from, to);
	if (!err)
		err = loop_add(&follow->seen, &follow->last);
	if (err)
		return err;
	/* A job may start threads and processes for days. */
	if (follow->seen.thread_count > 2 * follow->last.thread_count + KEPT_ENDED)
		loop_forget(&follow->seen, &follow->last);
	return ++follow->ticks > OFTEN && follow->ticks % OFTEN ? 0 : assign(follow, source);
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
	loop_free(&follow->last);
	roles_free(&follow->roles);
}
