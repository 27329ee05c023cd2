/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input markers: the functions by which frameworks are asked for the next batch. Finds the libraries that the job maps and
 * attaches bpf/markers.bpf.c to them. Used by bpf_source.c alone.
 */
#ifndef WHYSTALL_COLLECT_MARKERS_H
#define WHYSTALL_COLLECT_MARKERS_H

#include "base/fault.h"
#include "collect/bpf_maps.h"

struct markers;

/* NULL when out of memory. The environment variable WHYSTALL_MARKERS, GLOB:SYMBOL, is one more row, for tests. */
struct markers *markers_new(struct whystall_bpf *skel, uint32_t max_owners);

/*
 * Look at what the job's processes have mapped, attach to what is new, and detach from what none of them has any more. Each is
 * looked at again after a while, which becomes longer while nothing changes. What one call reads is limited, and so is the time
 * that it waits for files, to about two seconds; the next call goes on from there. Returns 0 or -ENOMEM; what cannot be
 * attached to is noted, and told by log_debug().
 */
int markers_look(struct markers *markers, struct bpf_maps *maps);

/* What the process at this place of the table of owners has mapped: enum framework; 0 where nobody has looked. */
unsigned int markers_frameworks(const struct markers *markers, uint32_t owner,
				uint64_t start_boot_ns);

/* Of them, those that have markers of which none could be attached to. */
unsigned int markers_missing(const struct markers *markers, uint32_t owner, uint64_t start_boot_ns);

/*
 * Attach to a function of whystall's own and call it: do uprobes work? whystall must be of its own job. Returns 0 or a
 * negative errno with `fault` set.
 */
int markers_try(struct markers *markers, struct bpf_maps *maps, struct fault *fault);

/* Detach and free; NULL is allowed. */
void markers_free(struct markers *markers);

#endif
