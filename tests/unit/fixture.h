/* SPDX-License-Identifier: BSD-2-Clause */
/* The trees of tests/fixtures/proc: a host's /proc and /sys at one instant, see the README.md there. */
#ifndef WHYSTALL_TESTS_FIXTURE_H
#define WHYSTALL_TESTS_FIXTURE_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIXTURE_STEPS = 3, FIXTURE_FILES = 512 };
static const char *const fixture_kernels[] = { "4.18", "5.15", "6.18", "7.x" };

struct fixture_file {
	char path[256]; /* "proc/1000/stat" */
	bool link;      /* then the text is its target */
	char *text;     /* no NUL behind it */
	size_t len;
};

struct fixture {
	struct fixture_file files[FIXTURE_FILES];
	size_t count;
};

/* The project's folder: a test program is in build/tests/unit. */
static inline void fixture_path(char out[PATH_MAX], const char *kernel, int step)
{
	char program[PATH_MAX / 2];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	assert_true(n > 0);
	program[n] = '\0';
	for (int i = 0; i < 4; i++)
		*strrchr(program, '/') = '\0';
	snprintf(out, PATH_MAX, "%s/tests/fixtures/proc/%s/%d.tree", program, kernel, step);
}

/* Append a line, behind its '|', to the text. */
static inline void fixture_add_line(struct fixture_file *file, const char *line, size_t len)
{
	file->text = realloc(file->text, file->len + len + 1);
	assert_non_null(file->text);
	for (size_t i = 0; i < len; i++) {
		char c = line[i];

		if (c == '\\') {
			if (++i == len)
				return;
			c = line[i] == '0' ? '\0' : line[i];
		}
		file->text[file->len++] = c;
	}
	file->text[file->len++] = '\n';
}

static inline struct fixture_file *fixture_add(struct fixture *fixture, const char *path, bool link)
{
	struct fixture_file *file = &fixture->files[fixture->count++];

	assert_true(fixture->count <= FIXTURE_FILES);
	*file = (struct fixture_file){ .link = link, .text = malloc(1) };
	assert_non_null(file->text);
	assert_true(snprintf(file->path, sizeof(file->path), "%s", path) < (int)sizeof(file->path));
	return file;
}

static inline struct fixture *fixture_read(const char *kernel, int step)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char path[PATH_MAX], *line = NULL, *target;
	struct fixture_file *file = NULL;
	size_t size = 0;
	ssize_t len;
	FILE *f;

	assert_non_null(fixture);
	fixture_path(path, kernel, step);
	f = fopen(path, "r");
	assert_non_null(f);
	while ((len = getline(&line, &size, f)) > 0) {
		assert_int_equal(line[len - 1], '\n');
		line[--len] = '\0';
		if (line[0] == '|') {
			assert_non_null(file);
			fixture_add_line(file, line + 1, (size_t)len - 1);
		} else if (strncmp(line, "file ", 5) == 0) {
			file = fixture_add(fixture, line + 5, false);
		} else {
			assert_int_equal(strncmp(line, "link ", 5), 0);
			target = strchr(line + 5, ' ');
			assert_non_null(target);
			*target++ = '\0';
			file = fixture_add(fixture, line + 5, true);
			free(file->text);
			file->text = strdup(target);
			file->len = strlen(target);
		}
	}
	free(line);
	fclose(f);
	assert_true(fixture->count > 0);
	return fixture;
}

static inline void fixture_free(struct fixture *fixture)
{
	for (size_t i = 0; i < fixture->count; i++)
		free(fixture->files[i].text);
	free(fixture);
}

/* NULL if it has none. */
static inline const struct fixture_file *fixture_find(const struct fixture *fixture,
						      const char *path)
{
	for (size_t i = 0; i < fixture->count; i++)
		if (strcmp(fixture->files[i].path, path) == 0)
			return &fixture->files[i];
	return NULL;
}

/* Make its files below a folder that is there. */
static inline void fixture_unpack(const struct fixture *fixture, const char *folder)
{
	char full[PATH_MAX];

	for (size_t i = 0; i < fixture->count; i++) {
		const struct fixture_file *file = &fixture->files[i];
		FILE *f;

		snprintf(full, sizeof(full), "%s/%s", folder, file->path);
		for (char *at = strchr(full + strlen(folder) + 1, '/'); at;
		     at = strchr(at + 1, '/')) {
			*at = '\0';
			assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
			*at = '/';
		}
		if (file->link) {
			char target[PATH_MAX];

			snprintf(target, sizeof(target), "%.*s", (int)file->len, file->text);
			assert_int_equal(symlink(target, full), 0);
			continue;
		}
		f = fopen(full, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(file->text, 1, file->len, f), file->len);
		assert_int_equal(fclose(f), 0);
	}
}

#endif
