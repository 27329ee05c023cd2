// SPDX-License-Identifier: BSD-2-Clause
/* What is copied of the kernel's types, and what is not. */
#include "unit.h"

#include <bpf/btf.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collect/core_btf.h"

/* struct inner { int value; }; struct other { int value; }; struct outer { const inner_t in[2]; struct other *out; } */
static struct btf *kernel_types(void)
{
	struct btf *btf = btf__new_empty();
	int number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	int inner = btf__add_struct(btf, "inner", 4);
	int other, array;

	assert_int_equal(btf__add_field(btf, "value", number, 0, 0), 0);
	other = btf__add_struct(btf, "other", 4);
	assert_int_equal(btf__add_field(btf, "value", number, 0, 0), 0);
	array = btf__add_array(btf, number, btf__add_typedef(btf, "inner_t", inner), 2);
	array = btf__add_const(btf, array);
	other = btf__add_ptr(btf, other);
	assert_true(btf__add_struct(btf, "outer", 16) > 0);
	assert_int_equal(btf__add_field(btf, "in", array, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, "out", other, 64, 0), 0);
	return btf;
}

static struct btf *copied(struct btf *kernel, const char *wanted)
{
	int fd = memfd_create("types", MFD_CLOEXEC);
	struct btf *programs = btf__new_empty(), *copy;
	char path[32];

	assert_true(fd >= 0);
	assert_true(btf__add_struct(programs, wanted, 4) > 0);
	assert_int_equal(core_btf_write(fd, programs, kernel), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy = btf__parse(path, NULL);
	assert_non_null(copy);
	close(fd);
	btf__free(programs);
	return copy;
}

static void test_what_is_contained_comes_along(void **state)
{
	struct btf *kernel = kernel_types(), *copy = copied(kernel, "outer___v2");
	int id = btf__find_by_name_kind(copy, "outer", BTF_KIND_STRUCT);
	const struct btf_type *outer;

	(void)state;
	assert_true(id > 0);
	outer = btf__type_by_id(copy, (__u32)id);
	assert_int_equal(outer->size, 16);
	assert_int_equal(btf_vlen(outer), 2);
	assert_string_equal(btf__name_by_offset(copy, btf_members(outer)[1].name_off), "out");
	assert_int_equal(btf_member_bit_offset(outer, 1), 64);
	assert_int_equal(btf__resolve_size(copy, btf_members(outer)[0].type), 8);
	assert_true(btf__find_by_name_kind(copy, "inner", BTF_KIND_STRUCT) > 0);
	/* Behind a pointer. */
	assert_true(btf__find_by_name_kind(copy, "other", BTF_KIND_STRUCT) < 0);
	btf__free(copy);
	btf__free(kernel);
}

static void test_others_stay_away(void **state)
{
	struct btf *kernel = kernel_types(), *copy = copied(kernel, "inner");

	(void)state;
	assert_true(btf__find_by_name_kind(copy, "inner", BTF_KIND_STRUCT) > 0);
	assert_true(btf__find_by_name_kind(copy, "outer", BTF_KIND_STRUCT) < 0);
	btf__free(copy);
	btf__free(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_contained_comes_along),
		cmocka_unit_test(test_others_stay_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
