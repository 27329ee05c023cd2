// SPDX-License-Identifier: BSD-2-Clause
/* The pattern machine that BPF runs, against fnmatch(3). */
#include "unit.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "collect/glob.h"

static int matches(const char *pattern, const char *name)
{
	char comm[COMM_LEN] = { 0 };
	struct fault fault;
	struct glob glob;

	assert_int_equal(glob_compile(pattern, &glob, &fault), 0);
	memcpy(comm, name, strlen(name));
	return glob_matches(&glob, comm, COMM_LEN);
}

static void test_known(void **unused)
{
	(void)unused;
	assert_true(matches("python3", "python3"));
	assert_false(matches("python3", "python"));
	assert_false(matches("python", "python3"));
	assert_true(matches("python*", "python"));
	assert_true(matches("*", ""));
	assert_true(matches("pt_*_w?rker[0-9]", "pt_data_worker7"));
	assert_false(matches("[!a-c]*", "bash"));
	assert_true(matches("[]x]", "]"));
	assert_true(matches("\\*", "*"));
	assert_false(matches("\\*", "x"));
	/* A name of full length has no NUL within the 16 bytes that can be cut further. */
	assert_true(matches("123456789012345", "123456789012345"));
}

/* A small alphabet, so that random patterns often match. */
static void test_random_against_fnmatch(void **unused)
{
	static const char pattern_bytes[] = "ab*?ab*[", name_bytes[] = "ab";
	uint64_t state = 6;
	int matched = 0;

	(void)unused;
	for (int round = 0; round < 50000; round++) {
		char pattern[40] = "", name[COMM_LEN] = "";
		size_t length = 1 + random_next(&state) % 8;

		for (size_t i = 0; i < length; i++) {
			char c = pattern_bytes[random_next(&state) % (sizeof(pattern_bytes) - 1)];

			if (c == '[')
				strcat(pattern, random_next(&state) % 2 ? "[ab]" : "[!a]");
			else
				strncat(pattern, &c, 1);
		}
		length = random_next(&state) % 8;
		for (size_t i = 0; i < length; i++)
			name[i] = name_bytes[random_next(&state) % 2];
		assert_int_equal(matches(pattern, name), fnmatch(pattern, name, 0) == 0);
		matched += fnmatch(pattern, name, 0) == 0;
	}
	assert_true(matched > 1000);
}

static void test_refused(void **unused)
{
	static const char *const bad[] = {
		"", "[abc", "[", "[]", "1234567890123456", "a-name-longer-than-any-process-has"
	};
	struct fault fault;
	struct glob glob;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fault.text[0] = '\0';
		assert_int_equal(glob_compile(bad[i], &glob, &fault), -EINVAL);
		assert_int_equal(fault.exit_code, EXIT_USAGE);
		assert_true(fault.text[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_random_against_fnmatch),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
