/* SPDX-License-Identifier: BSD-2-Clause */
/* A folder of files that a test makes for itself, a /proc or a /sys for instance. */
#ifndef WHYSTALL_TESTS_TREE_H
#define WHYSTALL_TESTS_TREE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TREE_PATH_LEN = 512 };

static char root[64];

static inline void tree_begin(const char *name)
{
	snprintf(root, sizeof(root), "/tmp/whystall-%s-XXXXXX", name);
	assert_non_null(mkdtemp(root));
}

static inline int tree_remove(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

/* The whole path, with the folders that it is in. */
static inline void tree_path(char full[TREE_PATH_LEN], const char *path)
{
	snprintf(full, TREE_PATH_LEN, "%s/%s", root, path);
	for (char *at = strchr(full + strlen(root) + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
		*at = '/';
	}
}

static inline void tree_folder(const char *path)
{
	char full[TREE_PATH_LEN];

	tree_path(full, path);
	assert_int_equal(mkdir(full, 0755), 0);
}

static inline void tree_link(const char *path, const char *target)
{
	char full[TREE_PATH_LEN];

	tree_path(full, path);
	assert_int_equal(symlink(target, full), 0);
}

static inline void tree_file(const char *path, const char *text)
{
	char full[TREE_PATH_LEN];
	FILE *f;

	tree_path(full, path);
	f = fopen(full, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

#endif
