/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of I/O between two samples. */
#ifndef WHYSTALL_MODEL_ROWS_H
#define WHYSTALL_MODEL_ROWS_H

#include "base/scratch.h"
#include "model/io.h"

/*
 * The difference of all rows of `to`, sorted by key: an array of `count`, of `scratch`; NULL when out of memory. Rows that `from`
 * has and `to` has not were added up in OWNER_EXITED meanwhile: there the part of before is gone too.
 */
struct io_row *rows_between(struct scratch *scratch, const struct sample *from,
			    const struct sample *to, size_t *count);

#endif
