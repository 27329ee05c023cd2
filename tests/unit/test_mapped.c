// SPDX-License-Identifier: BSD-2-Clause
/* Lines of /proc/PID/maps, those of files with odd names included. */
#include "unit.h"

#include <string.h>

#include "collect/mapped.h"

static const struct {
	const char *line;
	const char *name; /* NULL: no code of a file */
} lines[] = {
	{ "7f00-7f10 r-xp 00001000 08:01 42                     /lib/libx.so.1", "libx.so.1" },
	{ "7f00-7f10 rwxs 00001000 08:01 42 /lib/lib x.so", "lib x.so" },
	{ "7f00-7f10 r-xp 00001000 08:01 42 /lib/libx.so (deleted)", "libx.so" },
	{ "7f00-7f10 r-xp 00001000 08:01 42 /lib/libx.so (deleted) (deleted)",
	  "libx.so (deleted)" },
	{ "7f00-7f10 r-xp 00001000 08:01 42 /lib/a\\012b.so", "a\\012b.so" },
	{ "7f00-7f10 r-xp 00001000 08:01 42 / (deleted)", " (deleted)" },
	{ "7f00-7f10 r--p 00001000 08:01 42 /lib/libx.so", NULL },
	{ "7f00-7f10 r-xp 00000000 00:00 0 ", NULL },
	{ "7f00-7f10 r-xp 00000000 00:00 0 [vdso]", NULL },
	{ "7f00-7f10 r-xp 00000000 00:01 42 anon_inode:x", NULL },
	{ "7f00-7f10 r-xp 00000000 08:01 42", NULL },
	{ "7f00-7f10 r-x", NULL },
	{ "7f00-", NULL },
	{ "ffffffffffffffffffff-7f10 r-xp 00001000 08:01 42 /lib/libx.so", NULL },
	{ "nonsense", NULL },
	{ "", NULL },
};

static void test_lines(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char line[256];
		struct mapped mapped;

		strcpy(line, lines[i].line);
		assert_int_equal(mapped_parse_line(line, &mapped), lines[i].name != NULL);
		if (lines[i].name)
			assert_string_equal(mapped.name, lines[i].name);
	}
}

static void test_figures(void **unused)
{
	char line[] = "7f8000001000-7f80ffff0000 r-xp 000a1000 103:1f 18446744073709551615 /x";
	struct mapped mapped;

	(void)unused;
	assert_true(mapped_parse_line(line, &mapped));
	assert_int_equal(mapped.start, 0x7f8000001000);
	assert_int_equal(mapped.end, 0x7f80ffff0000);
	assert_int_equal(mapped.offset, 0xa1000);
	assert_int_equal(mapped.major, 0x103);
	assert_int_equal(mapped.minor, 0x1f);
	assert_true(mapped.inode == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
