/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of files that BPF fills, and the paths of its names. Used by bpf_source.c alone. */
#ifndef WHYSTALL_COLLECT_BPF_FILES_H
#define WHYSTALL_COLLECT_BPF_FILES_H

#include "collect/bpf_maps.h"
#include "collect/mounts.h"

/* Append the counters of all files to the sample, without paths. Returns 0 or -ENOMEM. */
int bpf_files_read(struct bpf_maps *maps, struct sample *sample);

/* Set the paths of the sample's files. Returns 0 or -ENOMEM. */
int bpf_files_name(struct bpf_maps *maps, struct sample *sample);

#endif
