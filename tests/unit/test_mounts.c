// SPDX-License-Identifier: BSD-2-Clause
/* Paths from names inside a file system and mountinfo. */
#include "unit.h"

#include "collect/mounts.h"
#include "collect/sample.h"

enum { OWN = 1, CONTAINER = 2, OTHER = 3 };

static const struct {
	uint64_t namespace;
	const char *line;
} lines[] = {
	{ OWN, "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw" },
	{ OWN, "40 21 8:2 /bound/here /mnt/b\\040nd rw - ext4 /dev/sda2 rw" },
	{ OWN, "41 21 8:2 / /data rw - ext4 /dev/sda2 rw" },
	{ OWN, "42 21 0:30 /@home /home rw - btrfs /dev/sdb rw,subvol=/@home" },
	{ OWN, "43 21 8:4 /a\\134\\011 /odd rw - ext4 /dev/sda4 rw" },
	{ CONTAINER, "90 80 8:2 / /inside rw - ext4 /dev/sda2 rw" },
	{ CONTAINER, "91 80 8:3 /vol / rw - ext4 /dev/sda3 rw" },
	{ OTHER, "92 80 8:5 / /far rw - ext4 /dev/sda5 rw" },
	{ OTHER, "not a line" },
	{ OTHER, "" },
	{ OTHER, "1 2 8 / /x" },
};

static struct mounts learnt(void)
{
	struct mounts mounts = { 0 };

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(mounts_add_line(&mounts, lines[i].line, lines[i].namespace), 0);
	assert_int_equal(mounts.count, 8);
	return mounts;
}

static void test_paths(void **unused)
{
	static const struct {
		uint32_t minor;
		uint64_t namespace;
		const char *inside, *path; /* NULL: none */
	} cases[] = {
		{ 1, OWN, "/etc/passwd", "/etc/passwd" },
		{ 1, OWN, "/", "/" },
		/* The whole file system goes before a part of it, the own namespace before another. */
		{ 2, OWN, "/bound/here/f", "/data/bound/here/f" },
		{ 2, CONTAINER, "/x", "/data/x" },
		{ 3, CONTAINER, "/vol/x/y", "/x/y" },
		{ 3, CONTAINER, "/vol", "/" },
		/* "/volume" is not below "/vol". */
		{ 3, CONTAINER, "/volume/x", NULL },
		{ 4, OWN, "/a\\\t/f", "/odd/f" },
		{ 5, CONTAINER, "/f", "/far/f" },
		{ 6, OWN, "/f", NULL },
	};
	struct mounts mounts = learnt();
	char path[64];

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool found = mounts_path(&mounts, device_number(8, cases[i].minor), cases[i].inside,
					 OWN, cases[i].namespace, path, sizeof(path));

		assert_int_equal(found, cases[i].path && cases[i].path[0]);
		if (found)
			assert_string_equal(path, cases[i].path);
	}
	assert_true(mounts_path(&mounts, device_number(0, 30), "/@home/me/f", OWN, OWN, path,
				sizeof(path)));
	assert_string_equal(path, "/home/me/f");
	mounts_free(&mounts);
}

static void test_a_part_is_told_where_the_whole_is_not(void **unused)
{
	struct mounts mounts = { 0 };
	char path[64];

	(void)unused;
	assert_int_equal(mounts_add_line(&mounts, lines[1].line, OWN), 0);
	assert_true(mounts_path(&mounts, device_number(8, 2), "/bound/here/f", OWN, OWN, path,
				sizeof(path)));
	assert_string_equal(path, "/mnt/b nd/f");
	assert_false(
		mounts_path(&mounts, device_number(8, 2), "/else/f", OWN, OWN, path, sizeof(path)));
	/* What does not fit is not cut. */
	assert_false(
		mounts_path(&mounts, device_number(8, 2), "/bound/here/f", OWN, OWN, path, 11));
	mounts_free(&mounts);
}

static void test_the_same_mount_is_kept_once(void **unused)
{
	struct mounts mounts = learnt();
	size_t count = mounts.count;

	(void)unused;
	assert_int_equal(mounts_add_line(&mounts, lines[0].line, OWN), 0);
	assert_int_equal(mounts.count, count);
	assert_int_equal(mounts_add_line(&mounts, lines[0].line, OTHER), 0);
	assert_int_equal(mounts.count, count + 1);
	mounts_free(&mounts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_a_part_is_told_where_the_whole_is_not),
		cmocka_unit_test(test_the_same_mount_is_kept_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
