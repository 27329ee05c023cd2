// SPDX-License-Identifier: BSD-2-Clause
/* The histogram's properties: every value in its bucket, exact sums at powers of two, error bounds. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "model/histogram.h"

enum { SAMPLES = 20000 };

/* Values over all magnitudes, with those at and beside powers of two among them. */
static uint64_t random_value(uint64_t *state)
{
	uint64_t r = random_next(state);
	unsigned int log2 = (unsigned int)(r % 38);
	uint64_t power = 1ULL << log2;

	switch ((r >> 8) % 4) {
	case 0:
		return power;
	case 1:
		return power + 1;
	case 2:
		return power - 1;
	default:
		return power + random_next(state) % power;
	}
}

static void test_value_is_inside_its_bucket(void **unused)
{
	uint64_t state = 1;

	(void)unused;
	for (int i = 0; i < SAMPLES; i++) {
		uint64_t ns = random_value(&state);
		unsigned int bucket = histogram_index(ns);

		assert_true(bucket < HISTOGRAM_BUCKETS);
		assert_true(ns <= histogram_upper_ns(bucket));
		assert_true(ns == 0 || ns > histogram_lower_ns(bucket));
	}
}

static void test_buckets_follow_one_another(void **unused)
{
	(void)unused;
	assert_int_equal(histogram_lower_ns(0), 0);
	for (unsigned int i = 1; i < HISTOGRAM_BUCKETS; i++) {
		assert_int_equal(histogram_lower_ns(i), histogram_upper_ns(i - 1));
		assert_true(histogram_upper_ns(i) > histogram_lower_ns(i));
		/* The upper bound belongs to the bucket, the lower one to the bucket before. */
		assert_int_equal(histogram_index(histogram_lower_ns(i)), i - 1);
		assert_int_equal(histogram_index(histogram_lower_ns(i) + 1), i);
	}
	assert_true(histogram_upper_ns(HISTOGRAM_BUCKETS - 1) == UINT64_MAX);
}

static void test_range_is_1us_to_64s(void **unused)
{
	(void)unused;
	assert_int_equal(histogram_index(0), 0);
	assert_int_equal(histogram_index(1024), 0);
	assert_int_equal(histogram_index(1025), 1);
	assert_int_equal(histogram_index(1ULL << 36), HISTOGRAM_BUCKETS - 2);
	assert_int_equal(histogram_index((1ULL << 36) + 1), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(histogram_index(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void test_powers_are_exact(void **unused)
{
	__u64 counts[HISTOGRAM_BUCKETS] = { 0 };
	uint64_t expected[HISTOGRAM_POWERS] = { 0 }, powers[HISTOGRAM_POWERS];
	uint64_t state = 2;

	(void)unused;
	for (int i = 0; i < SAMPLES; i++) {
		uint64_t ns = random_value(&state);
		unsigned int power = 0;

		counts[histogram_index(ns)]++;
		while (ns > histogram_power_upper_ns(power))
			power++;
		expected[power]++;
	}
	histogram_to_powers(counts, powers);
	for (unsigned int i = 0; i < HISTOGRAM_POWERS; i++)
		assert_int_equal(powers[i], expected[i]);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The rank's own value is in the bucket that is found, so the middle is at most 1/32 away. */
static void test_percentile_is_within_its_error(void **unused)
{
	static const double shares[] = { .01, .25, .5, .9, .99, .999, 1 };
	static uint64_t values[SAMPLES];
	__u64 counts[HISTOGRAM_BUCKETS] = { 0 };
	uint64_t state = 3;

	(void)unused;
	for (int i = 0; i < SAMPLES; i++) {
		values[i] = 2000 + random_next(&state) % 50000000;
		counts[histogram_index(values[i])]++;
	}
	qsort(values, SAMPLES, sizeof(values[0]), by_value);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		size_t rank = (size_t)(shares[i] * SAMPLES);
		double real = (double)values[rank ? rank - 1 : 0];
		double said = histogram_percentile_ns(counts, shares[i], values[SAMPLES - 1]);

		assert_true(said <= real * (1 + 1.0 / 32) && said >= real * (1 - 1.0 / 32));
	}
}

static void test_percentiles_are_monotone(void **unused)
{
	uint64_t state = 4;

	(void)unused;
	for (int round = 0; round < 50; round++) {
		__u64 counts[HISTOGRAM_BUCKETS] = { 0 };
		double before = 0;
		uint64_t max = 0;

		for (int i = 0; i < 100; i++) {
			uint64_t ns = random_value(&state);

			max = ns > max ? ns : max;
			counts[histogram_index(ns)]++;
		}
		for (int percent = 0; percent <= 100; percent++) {
			double value = histogram_percentile_ns(counts, percent / 100.0, max);

			assert_true(value >= before && value <= (double)max);
			before = value;
		}
	}
}

static void test_percentile_of_few(void **unused)
{
	__u64 counts[HISTOGRAM_BUCKETS] = { 0 };

	(void)unused;
	assert_true(histogram_percentile_ns(counts, .5, 0) == 0);
	/* One entry: every percentile is it, and never above the largest value seen. */
	counts[histogram_index(5000)] = 1;
	assert_true(histogram_percentile_ns(counts, .5, 5000) <= 5000);
	assert_true(histogram_percentile_ns(counts, .5, 5000) ==
		    histogram_percentile_ns(counts, .999, 5000));
	/* Above 64 s only the largest is known. */
	memset(counts, 0, sizeof(counts));
	counts[HISTOGRAM_BUCKETS - 1] = 3;
	assert_true(histogram_percentile_ns(counts, .5, 90000000000ULL) == 90000000000.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_value_is_inside_its_bucket),
		cmocka_unit_test(test_buckets_follow_one_another),
		cmocka_unit_test(test_range_is_1us_to_64s),
		cmocka_unit_test(test_powers_are_exact),
		cmocka_unit_test(test_percentile_is_within_its_error),
		cmocka_unit_test(test_percentiles_are_monotone),
		cmocka_unit_test(test_percentile_of_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
