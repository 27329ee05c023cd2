// SPDX-License-Identifier: BSD-2-Clause
#include "collect/bpf_targets.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the kernel names a target: sections' names go on with that of the tracepoint or of what is iterated over. */
static const struct {
	const char *section, *prefix;
	__u32 kind;
	enum bpf_attach_type attach;
} sections[] = {
	{ "tp_btf/", "btf_trace_", BTF_KIND_TYPEDEF, BPF_TRACE_RAW_TP },
	{ "iter/", "bpf_iter_", BTF_KIND_FUNC, BPF_TRACE_ITER },
};

enum { SECTIONS = sizeof(sections) / sizeof(sections[0]) };

/* Called by libbpf right before it gives a program to the kernel; the cookie is the targets' address. */
static int prepare(struct bpf_program *program, struct bpf_prog_load_opts *options, long cookie)
{
	const struct bpf_targets *targets = (const void *)cookie;
	const char *section = bpf_program__section_name(program);

	for (size_t i = 0; i < targets->count; i++)
		if (strcmp(targets->list[i].section, section) == 0) {
			options->attach_btf_id = (__u32)targets->list[i].id;
			return bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);
		}
	return -ESRCH;
}

/*
 * libbpf reads the kernel's BTF if there are programs of the type "tracing" when it begins to load: they are of another one until
 * each is given to the kernel.
 */
int bpf_targets_register(struct bpf_targets *targets)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, options, .cookie = (long)targets,
		    .prog_prepare_load_fn = prepare);

	for (int i = 0; i < SECTIONS; i++) {
		targets->handlers[i] = libbpf_register_prog_handler(sections[i].section,
								    BPF_PROG_TYPE_RAW_TRACEPOINT,
								    sections[i].attach, &options);
		if (targets->handlers[i] < 0)
			return targets->handlers[i];
	}
	return 0;
}

/* Returns its ID; 0: the section says no target. */
static int find(const char *section, const struct btf *kernel)
{
	for (int i = 0; i < SECTIONS; i++) {
		size_t len = strlen(sections[i].section);
		char name[128];

		if (strncmp(section, sections[i].section, len) != 0)
			continue;
		snprintf(name, sizeof(name), "%s%s", sections[i].prefix, section + len);
		return btf__find_by_name_kind(kernel, name, sections[i].kind);
	}
	return 0;
}

int bpf_targets_find(struct bpf_targets *targets, struct bpf_object *object,
		     const struct btf *kernel)
{
	struct bpf_program *program;
	size_t most = 0;

	bpf_object__for_each_program(program, object)
		most++;
	targets->list = calloc(most + 1, sizeof(*targets->list));
	if (!targets->list)
		return -ENOMEM;
	bpf_object__for_each_program(program, object) {
		struct bpf_target *target = &targets->list[targets->count];

		if (!bpf_program__autoload(program))
			continue;
		target->section = bpf_program__section_name(program);
		target->id = find(target->section, kernel);
		if (target->id < 0)
			return target->id;
		targets->count += target->id > 0;
	}
	return 0;
}

struct bpf_link *bpf_targets_attach(const struct bpf_program *program)
{
	if (bpf_program__expected_attach_type(program) == BPF_TRACE_ITER)
		return bpf_program__attach_iter(program, NULL);
	return bpf_program__attach_trace(program);
}

void bpf_targets_close(struct bpf_targets *targets)
{
	for (int i = 0; i < SECTIONS; i++)
		if (targets->handlers[i] > 0)
			libbpf_unregister_prog_handler(targets->handlers[i]);
	free(targets->list);
}
