/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs of bpf/, loaded in parts. The kernel looks at one program after the other for as long as one thread
 * loads them, and that is most of a start: each part is an object of its own over the same tables, and has its own thread.
 * A part that is not needed yet can come later.
 */
#ifndef WHYSTALL_COLLECT_BPF_PARTS_H
#define WHYSTALL_COLLECT_BPF_PARTS_H

#include <stdbool.h>

#include "collect/bpf_targets.h"

struct whystall_bpf;

enum bpf_part {
	PART_ONE, /* takes about as long as the other one, with a job and without */
	PART_TWO,
	PART_UPPER, /* for devices without requests of their own */
	PARTS
};

struct bpf_parts {
	struct whystall_bpf
		*skel; /* the tables; its programs are those of the parts that are loaded */
	struct whystall_bpf *parts[PARTS];
	bool *wanted; /* of skel's programs */
	struct bpf_targets targets;
	int types; /* file with the kernel's types, or -1 for all of the kernel's BTF */
};

/*
 * Open the object: parts->skel can then be configured. The file parts->types is read when the tables are loaded. Returns 0 or a
 * negative errno; bpf_parts_close() frees what there is either way.
 */
int bpf_parts_open(struct bpf_parts *parts);

/*
 * Create the tables. Which programs are to be loaded is what libbpf's autoload of skel's says by now; their targets are found in
 * `kernel`.
 */
int bpf_parts_load_tables(struct bpf_parts *parts, const struct btf *kernel);

/* Load the programs that are wanted of the parts from `first` to `last`, at the same time. Returns 0 or a negative errno. */
int bpf_parts_load(struct bpf_parts *parts, enum bpf_part first, enum bpf_part last);

/* To be called after its links are gone. */
void bpf_parts_close(struct bpf_parts *parts);

#endif
