/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For libFuzzer's targets. Each input is parsed twice: in memory of exactly its length, where AddressSanitizer sees any read
 * behind it, and with more behind it that would change a number or a word. Both answers must be the same.
 */
#ifndef WHYSTALL_TESTS_FUZZ_H
#define WHYSTALL_TESTS_FUZZ_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of the input with `behind` behind it; to be given back with free(). */
static inline char *fuzz_copy(const uint8_t *data, size_t size, const char *behind)
{
	const size_t more = strlen(behind);
	char *copy = malloc(size + more + (size + more == 0));

	CHECK(copy);
	if (size)
		memcpy(copy, data, size);
	memcpy(copy + size, behind, more);
	return copy;
}

/* The input as a string, without its NULs. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
	char *copy = malloc(size + 1);
	size_t len = 0;

	CHECK(copy);
	for (size_t i = 0; i < size; i++)
		if (data[i])
			copy[len++] = (char)data[i];
	copy[len] = '\0';
	return copy;
}

/*
 * LLVMFuzzerTestOneInput for a function that fills a struct TYPE, or refuses and leaves it. `same` compares two of them;
 * `print` writes one as the kernel would, and that must parse to the same again. Is it `whole`, what is printed and then cut
 * must be refused or parse to the same, too; else it may lack something.
 */
#define FUZZ_PARSER(type, parse, same, print, whole)                           \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)           \
	{                                                                      \
		struct type first, second, again, untouched;                   \
		char *exact = fuzz_copy(data, size, ""), text[8192];           \
		char *longer = fuzz_copy(data, size, "7 7=7\n");               \
		int err, len;                                                  \
                                                                               \
		memset(&untouched, 0x5a, sizeof(untouched));                   \
		memset(&first, 0x5a, sizeof(first));                           \
		memset(&second, 0x5a, sizeof(second));                         \
		err = parse(exact, size, &first);                              \
		CHECK(err == 0 || err == -EINVAL);                             \
		CHECK(parse(longer, size, &second) == err);                    \
		if (err) {                                                     \
			CHECK(memcmp(&first, &untouched, sizeof(first)) == 0); \
		} else {                                                       \
			CHECK(same(&first, &second));                          \
			len = print(text, sizeof(text), &first);               \
			CHECK(len > 0 && (size_t)len < sizeof(text));          \
			CHECK(parse(text, (size_t)len, &again) == 0);          \
			CHECK(same(&first, &again));                           \
			len = (int)(size * 31 % (size_t)len);                  \
			if (whole && parse(text, (size_t)len, &again) == 0)    \
				CHECK(same(&first, &again));                   \
		}                                                              \
		free(exact);                                                   \
		free(longer);                                                  \
		return 0;                                                      \
	}

#endif
