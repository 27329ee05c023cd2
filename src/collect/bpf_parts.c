// SPDX-License-Identifier: BSD-2-Clause
#include "collect/bpf_parts.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi.h"
#include "whystall.skel.h"

/* Programs are told apart by the beginnings of their names; all others are in the second part. */
static const struct {
	const char *prefix;
	enum bpf_part part;
} parts_by_name[] = {
	{ "block_start", PART_ONE }, { "block_merge", PART_ONE }, { "page_", PART_ONE },
	{ "ledger_", PART_ONE },     { "marker_", PART_ONE },     { "upper_", PART_UPPER },
};

struct loading {
	struct whystall_bpf *part;
	pthread_t thread;
	bool has_thread;
	int err;
};

static enum bpf_part part_of(const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);

	for (size_t i = 0; i < sizeof(parts_by_name) / sizeof(parts_by_name[0]); i++)
		if (strncmp(name, parts_by_name[i].prefix, strlen(parts_by_name[i].prefix)) == 0)
			return parts_by_name[i].part;
	return PART_TWO;
}

static struct whystall_bpf *open_object(int types)
{
	LIBBPF_OPTS(bpf_object_open_opts, options);
	char path[32];

	if (types >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", types);
		options.btf_custom_path = path;
	}
	return whystall_bpf__open_opts(&options);
}

int bpf_parts_open(struct bpf_parts *parts)
{
	int err = bpf_targets_register(&parts->targets);

	if (err)
		return err;
	parts->skel = open_object(parts->types);
	return parts->skel ? 0 : -errno;
}

int bpf_parts_load_tables(struct bpf_parts *parts, const struct btf *kernel)
{
	const struct bpf_object_skeleton *s = parts->skel->skeleton;
	int err = bpf_targets_find(&parts->targets, parts->skel->obj, kernel);

	if (err)
		return err;
	parts->wanted = calloc((size_t)s->prog_cnt, sizeof(*parts->wanted));
	if (!parts->wanted)
		return -ENOMEM;
	for (int i = 0; i < s->prog_cnt; i++) {
		parts->wanted[i] = bpf_program__autoload(*s->progs[i].prog);
		bpf_program__set_autoload(*s->progs[i].prog, false);
	}
	return whystall_bpf__load(parts->skel);
}

/* The objects are the same, and so is the order of their tables. */
static int share_tables(const struct whystall_bpf *skel, const struct whystall_bpf *part)
{
	struct bpf_map *from = NULL, *to = NULL;
	int err = 0;

	while (!err && (from = bpf_object__next_map(skel->obj, from)) &&
	       (to = bpf_object__next_map(part->obj, to)))
		err = bpf_map__reuse_fd(to, bpf_map__fd(from));
	return err;
}

/* Returns whether any program of it is wanted. */
static bool choose_programs(const struct bpf_parts *parts, struct whystall_bpf *object,
			    enum bpf_part part)
{
	const struct bpf_object_skeleton *s = object->skeleton;
	bool any = false;

	for (int i = 0; i < s->prog_cnt; i++) {
		bool chosen = parts->wanted[i] && part_of(*s->progs[i].prog) == part;

		bpf_program__set_autoload(*s->progs[i].prog, chosen);
		any = any || chosen;
	}
	return any;
}

static void *load(void *context)
{
	struct loading *loading = context;

	loading->err = bpf_object__load(loading->part->obj);
	return NULL;
}

/* `here`: in this thread; also where no other one can be had. */
static int begin(struct bpf_parts *parts, enum bpf_part part, struct loading *loading, bool here)
{
	struct whystall_bpf *object = open_object(parts->types);
	int err;

	if (!object)
		return -errno;
	parts->parts[part] = object;
	if (!choose_programs(parts, object, part))
		return 0;
	err = share_tables(parts->skel, object);
	if (err)
		return err;
	loading->part = object;
	loading->has_thread = !here && pthread_create(&loading->thread, NULL, load, loading) == 0;
	if (loading->has_thread)
		return 0;
	load(loading);
	return loading->err;
}

static void take_programs(struct bpf_parts *parts, enum bpf_part part)
{
	const struct bpf_object_skeleton *to = parts->skel->skeleton;
	const struct bpf_object_skeleton *from = parts->parts[part]->skeleton;

	for (int i = 0; i < to->prog_cnt; i++)
		if (bpf_program__autoload(*from->progs[i].prog))
			*to->progs[i].prog = *from->progs[i].prog;
}

int bpf_parts_load(struct bpf_parts *parts, enum bpf_part first, enum bpf_part last)
{
	struct loading loadings[PARTS] = { 0 };
	int err = 0;

	for (enum bpf_part part = first; !err && part <= last; part++)
		err = begin(parts, part, &loadings[part], part == last);
	for (enum bpf_part part = first; part <= last; part++) {
		if (loadings[part].has_thread)
			pthread_join(loadings[part].thread, NULL);
		err = err ? err : loadings[part].err;
	}
	for (enum bpf_part part = first; !err && part <= last; part++)
		take_programs(parts, part);
	return err;
}

void bpf_parts_close(struct bpf_parts *parts)
{
	whystall_bpf__destroy(parts->skel);
	for (int i = 0; i < PARTS; i++)
		whystall_bpf__destroy(parts->parts[i]);
	bpf_targets_close(&parts->targets);
	free(parts->wanted);
	if (parts->types >= 0)
		close(parts->types);
}
