// SPDX-License-Identifier: BSD-2-Clause
#include "fuzz.h"

#include <inttypes.h>

#include "collect/proc_parse.h"

static bool same(const struct proc_io *a, const struct proc_io *b)
{
	return a->read_chars == b->read_chars && a->write_chars == b->write_chars &&
	       a->reads == b->reads && a->writes == b->writes && a->read_bytes == b->read_bytes &&
	       a->write_bytes == b->write_bytes &&
	       a->cancelled_write_bytes == b->cancelled_write_bytes;
}

static int print(char *out, size_t size, const struct proc_io *io)
{
	return snprintf(out, size,
			"rchar: %" PRIu64 "\nwchar: %" PRIu64 "\nsyscr: %" PRIu64
			"\nsyscw: %" PRIu64 "\nread_bytes: %" PRIu64 "\nwrite_bytes: %" PRIu64
			"\ncancelled_write_bytes: %" PRIu64 "\n",
			io->read_chars, io->write_chars, io->reads, io->writes, io->read_bytes,
			io->write_bytes, io->cancelled_write_bytes);
}

FUZZ_PARSER(proc_io, proc_parse_io, same, print, true)
