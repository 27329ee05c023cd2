// SPDX-License-Identifier: BSD-2-Clause
#include "commands/privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

/*
 * A library with an input marker is attached to when the job maps it, which may be at any time. To the kernel that is
 * writing into other processes' memory: perf_event_open() of a uprobe asks for CAP_SYS_ADMIN (seen on 6.18; CAP_PERFMON was
 * enough before), and so does opening the file of another process's mapping in /proc/PID/map_files. Whoever watches no
 * job, or for no verdict, does without.
 */
int privileges_drop(enum privileges_need need, struct fault *fault)
{
	static const int kept[] = { CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_KILL,
				    CAP_BPF,        CAP_PERFMON,         CAP_SYS_ADMIN };
	static const size_t counts[] = {
		[PRIVILEGES_FOR_PROC] = 3, [PRIVILEGES_FOR_BPF] = 5, [PRIVILEGES_FOR_MARKERS] = 6
	};
	const size_t count = counts[need];
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	bool any = false;

	if (syscall(SYS_capget, &header, data))
		return fault_set(fault, -errno, "cannot read capabilities: %s", strerror(errno));
	for (int word = 0; word < _LINUX_CAPABILITY_U32S_3; word++) {
		uint32_t mask = 0;

		any = any || data[word].permitted;
		for (size_t i = 0; i < count; i++)
			if (kept[i] / 32 == word)
				mask |= 1U << (kept[i] % 32);
		data[word].effective &= mask;
		data[word].permitted &= mask;
		data[word].inheritable = 0;
	}
	/* Where there is nothing to drop, a container may not even let it try. */
	if ((any && syscall(SYS_capset, &header, data)) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fault_set(fault, -errno, "cannot drop capabilities: %s", strerror(errno));
	return 0;
}
