/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What programs attach to, as the kernel's type information numbers it. libbpf would read all of that again for each object
 * that has such programs, 6 ms and 11 MB of memory each time; here it is looked up in what is read already.
 */
#ifndef WHYSTALL_COLLECT_BPF_TARGETS_H
#define WHYSTALL_COLLECT_BPF_TARGETS_H

#include <stddef.h>

struct bpf_link;
struct bpf_object;
struct bpf_program;
struct btf;

struct bpf_target {
	const char *section; /* of the object that it was found for */
	int id;
};

struct bpf_targets {
	struct bpf_target *list;
	size_t count;
	int handlers[2]; /* of libbpf, for the sections tp_btf/ and iter/ */
};

/*
 * To be called before objects are opened whose programs find their targets here; one at a time. Returns 0 or a negative errno;
 * bpf_targets_close() frees what there is either way.
 */
int bpf_targets_register(struct bpf_targets *targets);

/* Find the targets of those programs of an open object that are to be loaded. Returns 0 or a negative errno. */
int bpf_targets_find(struct bpf_targets *targets, struct bpf_object *object,
		     const struct btf *kernel);

/* Attach a program whose target was found here. As bpf_program__attach(). */
struct bpf_link *bpf_targets_attach(const struct bpf_program *program);

void bpf_targets_close(struct bpf_targets *targets);

#endif
