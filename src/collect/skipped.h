/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that the kernel did not run. */
#ifndef WHYSTALL_COLLECT_SKIPPED_H
#define WHYSTALL_COLLECT_SKIPPED_H

#include <stdint.h>

struct bpf_program;

/*
 * How often the kernel has not run this program because it ran already on that processor, in a task that was interrupted or
 * preempted; 0 for one that is not loaded. Of a program of bpf/twice.bpf.h another one may have stepped in.
 */
uint64_t skipped_runs(const struct bpf_program *program);

#endif
