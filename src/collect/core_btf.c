// SPDX-License-Identifier: BSD-2-Clause
#include "collect/core_btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Modules with types that the programs use; these may as well be built in. */
static const char *const modules[] = { "dm_mod", "dm_crypt" };

enum { NAME_LEN = 64 };

struct wanted {
	char name[NAME_LEN];
	bool found;
};

struct core_btf {
	struct wanted *wanted; /* by name */
	size_t wanted_count;
	struct btf *to;
	int *ids; /* in `to`, by the ID that a type has in the kernel's; 0: not copied yet */
	__u32 count;
	int pointer; /* ID of void * in `to` */
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct wanted *)a)->name, ((const struct wanted *)b)->name);
}

static bool has_candidates(const struct btf_type *type)
{
	return btf_is_composite(type) || btf_is_any_enum(type);
}

/* What follows ___ tells apart versions of one type, see "flavors" in libbpf. */
static void copy_essential(char name[NAME_LEN], const char *from)
{
	const char *flavor = strstr(from, "___");

	snprintf(name, NAME_LEN, "%.*s", flavor ? (int)(flavor - from) : (int)strlen(from), from);
}

static int list_wanted(struct core_btf *core, const struct btf *programs)
{
	__u32 count = btf__type_cnt(programs);
	size_t unique = 0;

	core->wanted = calloc(count, sizeof(*core->wanted));
	if (!core->wanted)
		return -ENOMEM;
	for (__u32 id = 1; id < count; id++) {
		const struct btf_type *type = btf__type_by_id(programs, id);

		if (has_candidates(type) && type->name_off)
			copy_essential(core->wanted[core->wanted_count++].name,
				       btf__name_by_offset(programs, type->name_off));
	}
	qsort(core->wanted, core->wanted_count, sizeof(*core->wanted), compare_names);
	for (size_t i = 0; i < core->wanted_count; i++)
		if (!i || compare_names(&core->wanted[i], &core->wanted[unique - 1]) != 0)
			core->wanted[unique++] = core->wanted[i];
	core->wanted_count = unique;
	return 0;
}

static int copy_type(struct core_btf *core, const struct btf *from, __u32 id);

static int copy_members(struct core_btf *core, const struct btf *from, const struct btf_type *type)
{
	const struct btf_member *members = btf_members(type);

	for (int i = 0; i < btf_vlen(type); i++) {
		int member = core->ids[members[i].type]; /* copied before */
		int err = btf__add_field(core->to, btf__name_by_offset(from, members[i].name_off),
					 member, btf_member_bit_offset(type, (__u32)i),
					 btf_member_bitfield_size(type, (__u32)i));

		if (err)
			return err;
	}
	return 0;
}

static int copy_composite(struct core_btf *core, const struct btf *from,
			  const struct btf_type *type)
{
	const struct btf_member *members = btf_members(type);
	const char *name = btf__name_by_offset(from, type->name_off);
	int id, err;

	for (int i = 0; i < btf_vlen(type); i++) {
		id = copy_type(core, from, members[i].type);
		if (id < 0)
			return id;
	}
	id = btf_is_struct(type) ? btf__add_struct(core->to, name, type->size) :
				   btf__add_union(core->to, name, type->size);
	err = id < 0 ? id : copy_members(core, from, type);
	return err ? err : id;
}

static int copy_array(struct core_btf *core, const struct btf *from, const struct btf_array *array)
{
	int index = copy_type(core, from, array->index_type);
	int element = index < 0 ? index : copy_type(core, from, array->type);

	return element < 0 ? element : btf__add_array(core->to, index, element, array->nelems);
}

/* Returns the type's ID in the copy, 0 for none, or a negative errno. */
static int copy_type(struct core_btf *core, const struct btf *from, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(from, id);
	int copy = 0;

	if (!id || !type || core->ids[id])
		return id && type ? core->ids[id] : 0;
	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		copy = copy_composite(core, from, type);
		break;
	case BTF_KIND_ARRAY:
		copy = copy_array(core, from, btf_array(type));
		break;
	case BTF_KIND_PTR:
		copy = core->pointer;
		break;
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		copy = copy_type(core, from, type->type);
		break;
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_FWD:
		copy = btf__add_type(core->to, from, type);
		break;
	default:
		break;
	}
	if (copy > 0)
		core->ids[id] = copy;
	return copy;
}

/* All types from `first` on that are wanted, and, `missing`, have not been found elsewhere. */
static int copy_wanted(struct core_btf *core, const struct btf *from, __u32 first, bool missing)
{
	__u32 count = btf__type_cnt(from);

	for (__u32 id = first; id < count; id++) {
		const struct btf_type *type = btf__type_by_id(from, id);
		struct wanted name, *wanted;
		int err;

		if (!has_candidates(type) || !type->name_off)
			continue;
		copy_essential(name.name, btf__name_by_offset(from, type->name_off));
		wanted = bsearch(&name, core->wanted, core->wanted_count, sizeof(name),
				 compare_names);
		if (!wanted || (missing && wanted->found))
			continue;
		err = copy_type(core, from, id);
		if (err < 0)
			return err;
		if (!missing)
			wanted->found = true;
	}
	return 0;
}

/* A module's types follow those of the kernel itself. */
static int copy_from_module(struct core_btf *core, const char *module, struct btf *kernel)
{
	__u32 first = btf__type_cnt(kernel), count;
	struct btf *from;
	char path[64];
	int *ids, err;

	snprintf(path, sizeof(path), "/sys/kernel/btf/%s", module);
	if (access(path, R_OK) != 0)
		return 0;
	from = btf__parse_split(path, kernel);
	if (!from)
		return 0; /* as if the module were not there */
	count = btf__type_cnt(from);
	ids = realloc(core->ids, count * sizeof(*ids));
	if (!ids) {
		btf__free(from);
		return -ENOMEM;
	}
	memset(ids + first, 0, (count - first) * sizeof(*ids));
	core->ids = ids;
	err = copy_wanted(core, from, first, true);
	btf__free(from);
	return err;
}

static int copy_all(struct core_btf *core, const struct btf *programs, struct btf *kernel)
{
	int err = list_wanted(core, programs);

	core->to = btf__new_empty();
	core->ids = calloc(btf__type_cnt(kernel), sizeof(*core->ids));
	if (err || !core->to || !core->ids)
		return -ENOMEM;
	core->pointer = btf__add_ptr(core->to, 0);
	err = core->pointer < 0 ? core->pointer : copy_wanted(core, kernel, 1, false);
	for (size_t i = 0; !err && i < sizeof(modules) / sizeof(modules[0]); i++)
		err = copy_from_module(core, modules[i], kernel);
	return err;
}

static int write_raw(int fd, const struct btf *btf)
{
	__u32 size = 0;
	const void *data = btf__raw_data(btf, &size);

	if (!data)
		return -ENOMEM;
	return write(fd, data, size) == (ssize_t)size ? 0 : -EIO;
}

int core_btf_write(int fd, const struct btf *programs, struct btf *kernel)
{
	struct core_btf core = { 0 };
	int err = copy_all(&core, programs, kernel);

	if (!err)
		err = write_raw(fd, core.to);
	btf__free(core.to);
	free(core.ids);
	free(core.wanted);
	return err;
}
