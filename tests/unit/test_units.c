// SPDX-License-Identifier: BSD-2-Clause
/* Durations and counts as users write them, quantities as people read them. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/units.h"

static void test_durations(void **unused)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{ "1", 1000000000 },      { "30s", 30000000000 },   { "500ms", 500000000 },
		{ "1.5s", 1500000000 },   { "0.25", 250000000 },    { "2m", 120000000000 },
		{ "1h", 3600000000000 },  { "250us", 250000 },      { "7ns", 7 },
		{ "1d", 86400000000000 }, { "2min", 120000000000 }, { ".5", 500000000 },
	};
	uint64_t ns;

	(void)unused;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(duration_parse(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
}

static void test_what_is_no_duration(void **unused)
{
	static const char *const bad[] = { "",    "s",   "-1", "+1", " 1",   "1 s", "1x",  "0x10",
					   "inf", "nan", "1e", "ms", "1ms2", "٣",   "1,5", "." };
	static const char *const out_of_range[] = { "0", "0ms", "0.0", "0.1ns", "99999d", "1e99s" };
	uint64_t ns;

	(void)unused;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(duration_parse(bad[i], &ns), -EINVAL);
	for (size_t i = 0; i < sizeof(out_of_range) / sizeof(out_of_range[0]); i++)
		assert_int_equal(duration_parse(out_of_range[i], &ns), -ERANGE);
}

static void test_counts(void **unused)
{
	static const char *const bad[] = { "", "-1", "+1", "1.0", "1k", " 1", "0x1", "one" };
	uint64_t count;

	(void)unused;
	assert_int_equal(count_parse("1", 10, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(count_parse("18446744073709551615", UINT64_MAX, &count), 0);
	assert_true(count == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(count_parse(bad[i], 10, &count), -EINVAL);
	assert_int_equal(count_parse("0", 10, &count), -ERANGE);
	assert_int_equal(count_parse("11", 10, &count), -ERANGE);
	assert_int_equal(count_parse("18446744073709551616", UINT64_MAX, &count), -ERANGE);
}

static void test_formats(void **unused)
{
	static const struct {
		double ns;
		const char *text;
	} durations[] = {
		{ 0, "0.00 ns" },       { 850, "850 ns" },   { 999.4, "999 ns" },
		{ 999.6, "1.00 us" },   { 1024, "1.02 us" }, { 12345, "12.3 us" },
		{ 4070000, "4.07 ms" }, { 2.5e9, "2.50 s" }, { 123456789, "123 ms" },
		{ 64e9, "64.0 s" },
	};
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = {
		{ 0, "0 B" },
		{ 812, "812 B" },
		{ 1024, "1.0 KiB" },
		{ 67108864, "64.0 MiB" },
		{ 1048575, "1.0 MiB" },
		{ 1288490189, "1.2 GiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};
	char out[32];

	(void)unused;
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
		assert_string_equal(duration_format(out, sizeof(out), durations[i].ns),
				    durations[i].text);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_string_equal(bytes_format(out, sizeof(out), sizes[i].bytes), sizes[i].text);
}

static void test_time_is_rfc3339(void **unused)
{
	const struct timespec time = { .tv_sec = 1700000000, .tv_nsec = 42000000 };
	char out[64];

	(void)unused;
	assert_string_equal(time_format(out, sizeof(out), &time), "2023-11-14T22:13:20.042Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),       cmocka_unit_test(test_what_is_no_duration),
		cmocka_unit_test(test_counts),          cmocka_unit_test(test_formats),
		cmocka_unit_test(test_time_is_rfc3339),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
