// SPDX-License-Identifier: BSD-2-Clause
/* Memory that is taken and given back, and sorting without any. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/order.h"
#include "base/scratch.h"

/* More than the first block has, so that there are several. */
enum { PIECES = 200, PIECE = 1000, LARGE = 300000 };

static void test_taken_again(void **unused)
{
	struct scratch scratch = { 0 };
	char *first[PIECES];

	(void)unused;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < PIECES; i++) {
			char *piece = scratch_take(&scratch, PIECE, 1);

			assert_non_null(piece);
			for (int k = 0; k < PIECE; k++)
				assert_int_equal(piece[k], 0);
			memset(piece, 'x', PIECE);
			if (round == 0)
				first[i] = piece;
			assert_ptr_equal(piece, first[i]);
		}
		scratch_reset(&scratch);
	}
	scratch_free(&scratch);
}

static void test_marks(void **unused)
{
	struct scratch scratch = { 0 };
	struct scratch_mark empty = scratch_mark(&scratch), mark;
	char *kept = scratch_take(&scratch, PIECE, 1), *taken;

	(void)unused;
	assert_non_null(kept);
	memset(kept, 'k', PIECE);
	mark = scratch_mark(&scratch);
	taken = scratch_take(&scratch, PIECE, 1);
	assert_non_null(scratch_take(&scratch, LARGE, 1));
	scratch_release(&scratch, mark);
	assert_ptr_equal(scratch_take(&scratch, PIECE, 1), taken);
	for (int k = 0; k < PIECE; k++)
		assert_int_equal(kept[k], 'k');
	scratch_release(&scratch, empty);
	assert_ptr_equal(scratch_take(&scratch, PIECE, 1), kept);
	scratch_free(&scratch);
}

static void test_too_much(void **unused)
{
	struct scratch scratch = { 0 };

	(void)unused;
	assert_null(scratch_take(&scratch, SIZE_MAX / 2, 8));
	assert_null(scratch_take(&scratch, SIZE_MAX, 1));
	scratch_free(&scratch);
}

struct wide {
	uint64_t key;
	char rest[93]; /* no multiple of anything */
};

static int by_key(const void *a, const void *b)
{
	return compare_numbers(((const struct wide *)a)->key, ((const struct wide *)b)->key);
}

/* As qsort() has them. */
static void test_sort(void **unused)
{
	static struct wide list[500], same[500];
	uint64_t state = 7;

	(void)unused;
	for (size_t count = 0; count <= 500; count += count < 20 ? 1 : 37) {
		for (size_t i = 0; i < count; i++) {
			list[i].key = random_next(&state) % (2 * count);
			memset(list[i].rest, (char)list[i].key, sizeof(list[i].rest));
		}
		memcpy(same, list, sizeof(list));
		qsort(same, count, sizeof(*same), by_key);
		for (int again = 0; again < 2; again++) {
			sort_in_place(list, count, sizeof(*list), by_key);
			for (size_t i = 0; i < count; i++) {
				assert_int_equal(list[i].key, same[i].key);
				assert_memory_equal(list[i].rest, same[i].rest,
						    sizeof(list[i].rest));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken_again),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_sort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
