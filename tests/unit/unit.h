/* SPDX-License-Identifier: BSD-2-Clause */
/* cmocka wants these headers before its own. */
#ifndef WHYSTALL_TESTS_UNIT_H
#define WHYSTALL_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * Pseudo-random numbers, the same in every run: xorshift64* (Vigna 2016). `state` must not be 0.
 */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

#endif
