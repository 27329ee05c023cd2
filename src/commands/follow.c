// SPDX-License-Identifier: BSD-2-Clause
#include "commands/follow.h"

#include <sched.h>
#include <unistd.h>

#include "judge/roles.h"

/* Roles are looked for in each of so many first intervals, then once in as many. */
enum { OFTEN = 8 };

static int assign(const struct follow *follow, struct bpf_source *source)
{
	struct roles roles;
	int err = roles_find(&roles, &follow->seen, follow->trainer);

	for (size_t i = 0; !err && i < roles.count; i++) {
		const struct role *role = &roles.list[i];
		const struct loop_process *p = loop_find_process(&follow->seen, role->pid);
		const struct loop_process *trainer =
			loop_find_process(&follow->seen, role->trainer_pid);

		if (p && trainer)
			bpf_source_assign(source, p->owner, p->start_boot_ns, trainer->owner,
					  role->tid);
	}
	roles_free(&roles);
	return err;
}

int follow_tick(struct follow *follow, struct bpf_source *source, const struct sample *from,
		const struct sample *to)
{
	struct loop next;
	int err = loop_build(&next, from, to);

	if (!err)
		err = loop_add(&follow->seen, &next);
	loop_free(&next);
	if (err || (++follow->ticks > OFTEN && follow->ticks % OFTEN))
		return err;
	return assign(follow, source);
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
}
