/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef WHYSTALL_TESTS_CGROUP_IO_H
#define WHYSTALL_TESTS_CGROUP_IO_H

#include "fuzz.h"

#include "collect/proc_parse.h"

/* Within their room, each device once, and the same in both. */
static inline void check_ios(const struct proc_cgroup_ios *a, const struct proc_cgroup_ios *b)
{
	CHECK(a->count <= PROC_CGROUP_DEVICES);
	CHECK(a->count == b->count && a->left_out == b->left_out);
	CHECK(!a->left_out || a->count == PROC_CGROUP_DEVICES);
	for (size_t i = 0; i < a->count; i++) {
		const struct proc_cgroup_io *x = &a->list[i], *y = &b->list[i];

		CHECK(x->device == y->device && x->read_bytes == y->read_bytes &&
		      x->write_bytes == y->write_bytes && x->read_ios == y->read_ios &&
		      x->write_ios == y->write_ios);
		for (size_t j = 0; j < i; j++)
			CHECK(a->list[j].device != x->device);
	}
}

#endif
