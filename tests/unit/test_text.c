// SPDX-License-Identifier: BSD-2-Clause
/* Untrusted names: nothing that a terminal acts on, no invalid UTF-8, nothing beyond the buffer. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "show/csv.h"

static void test_plain(void **unused)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "python3", "python3" },
		{ "a b,c\"d", "a b,c\"d" },
		{ "\033[31mred\033[0m", "\\x1b[31mred\\x1b[0m" },
		{ "line\nfeed\ttab\r", "line\\x0afeed\\x09tab\\x0d" },
		{ "del\x7f", "del\\x7f" },
		{ "k\xc3\xa9rnel", "k\xc3\xa9rnel" },
		{ "\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac" },
		{ "\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7" },
		/* C1 control as UTF-8: terminals act on U+009B as on ESC [ */
		{ "\xc2\x9b"
		  "31m",
		  "\\xc2\\x9b31m" },
		/* right-to-left override */
		{ "\xe2\x80\xae"
		  "abc",
		  "\\xe2\\x80\\xaeabc" },
		/* invalid: stray continuation, cut short, overlong, surrogate, beyond U+10FFFF */
		{ "\x80", "\\x80" },
		{ "\xc3", "\\xc3" },
		{ "\xe6\x97", "\\xe6\\x97" },
		{ "\xc0\xaf", "\\xc0\\xaf" },
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xff\xfe", "\\xff\\xfe" },
	};
	char out[128];

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(text_escape(out, sizeof(out), cases[i].in, TEXT_PLAIN),
				    cases[i].out);
}

/* JSON's own escapes are the library's work; only bytes that are no text are replaced. */
static void test_json(void **unused)
{
	char out[64];

	(void)unused;
	assert_string_equal(text_escape(out, sizeof(out), "a\nb\"\x1b", TEXT_JSON), "a\nb\"\x1b");
	assert_string_equal(text_escape(out, sizeof(out), "x\xff\xc3\xa9", TEXT_JSON),
			    "x\\xff\xc3\xa9");
}

static void test_random_bytes_fit_and_are_printable(void **unused)
{
	uint64_t state = 5;

	(void)unused;
	for (int round = 0; round < 2000; round++) {
		char in[65] = { 0 };
		size_t size = 1 + random_next(&state) % 80;
		char *out = malloc(size);

		for (size_t i = 0; i < 64; i++)
			in[i] = (char)(random_next(&state) % 255 + 1);
		assert_non_null(out);
		text_escape(out, size, in, TEXT_PLAIN);
		assert_true(strlen(out) < size);
		for (const char *p = out; *p; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
		free(out); /* an overrun is the sanitizer's to see */
	}
}

static void test_arguments(void **unused)
{
	char out[16];

	(void)unused;
	text_join_arguments(out, sizeof(out), "dd\0if=x\0of=y\0", 13);
	assert_string_equal(out, "dd if=x of=y");
	text_join_arguments(out, sizeof(out), "", 0);
	assert_string_equal(out, "");
	text_join_arguments(out, sizeof(out), "a-very-long-program\0with\0args", 29);
	assert_string_equal(out, "a-very-long-pro");
}

static void test_csv(void **unused)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "a,b", "\"a,b\"" },
		{ "say \"hi\"", "\"say \"\"hi\"\"\"" },
		{ "new\nline", "new\\x0aline" },
		{ "", "" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[64] = { 0 };
		FILE *stream = fmemopen(out, sizeof(out) - 1, "w");

		assert_non_null(stream);
		csv_field(stream, cases[i].in);
		fclose(stream);
		assert_string_equal(out, cases[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_random_bytes_fit_and_are_printable),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_csv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
