// SPDX-License-Identifier: BSD-2-Clause
#include "commands/privileges.h"

#include <errno.h>
#include <linux/capability.h>
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
int privileges_drop(bool for_markers, struct fault *fault)
{
	static const int kept[] = { CAP_BPF,  CAP_PERFMON,  CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH,
				    CAP_KILL, CAP_SYS_ADMIN };
	const size_t count = sizeof(kept) / sizeof(kept[0]) - (for_markers ? 0 : 1);
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return fault_set(fault, -errno, "cannot read capabilities: %s", strerror(errno));
	for (int word = 0; word < _LINUX_CAPABILITY_U32S_3; word++) {
		uint32_t mask = 0;

		for (size_t i = 0; i < count; i++)
			if (kept[i] / 32 == word)
				mask |= 1U << (kept[i] % 32);
		data[word].effective &= mask;
		data[word].permitted &= mask;
		data[word].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fault_set(fault, -errno, "cannot drop capabilities: %s", strerror(errno));
	return 0;
}
