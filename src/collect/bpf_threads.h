/* SPDX-License-Identifier: BSD-2-Clause */
/* The ledgers of threads, out of the tables that BPF fills. Used by bpf_maps.c and bpf_files.c. */
#ifndef WHYSTALL_COLLECT_BPF_THREADS_H
#define WHYSTALL_COLLECT_BPF_THREADS_H

#include "collect/bpf_maps.h"

/* Copy the ledgers as they are; their last states are still open. Returns 0 or -ENOMEM. */
int bpf_threads_copy(struct bpf_maps *maps, struct sample *sample);

/* Close the last states as of now, which becomes the sample's threads_ns. */
void bpf_threads_add_open(struct sample *sample);

/* For how long a thread of the sample has been waiting, at its threads_ns; 0 when it has ended. */
uint64_t bpf_threads_open_ns(const struct sample *sample, const struct thread *thread);

#endif
