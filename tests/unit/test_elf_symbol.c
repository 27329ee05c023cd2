// SPDX-License-Identifier: BSD-2-Clause
/* Functions of libraries, in whole ones and in what somebody calls one. */
#include "unit.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/elf_symbol.h"

/* A library that is there anyway, and what the dynamic linker says of it. */
static const char symbol[] = "json_loads";

struct known {
	char path[256];
	uint64_t offset; /* of the function, from the first mapping on */
};

static struct known find_known(void)
{
	struct known known = { 0 };
	void *address = dlsym(RTLD_DEFAULT, symbol);
	Dl_info info;

	assert_non_null(address);
	assert_int_not_equal(dladdr(address, &info), 0);
	snprintf(known.path, sizeof(known.path), "%s", info.dli_fname);
	known.offset = (uint64_t)((char *)address - (char *)info.dli_fbase);
	return known;
}

static void test_as_the_dynamic_linker_finds_it(void **unused)
{
	struct known known = find_known();
	int fd = open(known.path, O_RDONLY | O_CLOEXEC);
	uint64_t offset = 0;

	(void)unused;
	assert_true(fd >= 0);
	assert_int_equal(elf_find_function(fd, symbol, &offset), 0);
	/* Linkers give code the same place in the file as in memory, or a whole number of pages beside it. */
	assert_int_equal(offset % 4096, known.offset % 4096);
	assert_int_equal(elf_find_function(fd, "no_such_function", &offset), -ENOENT);
	/* It needs it, and has it not. */
	assert_int_equal(elf_find_function(fd, "malloc", &offset), -ENOENT);
	assert_int_equal(elf_find_function(fd, "", &offset), -ENOENT);
	close(fd);
}

/* A copy in memory, to be spoilt. */
static int copy_of(const char *path, size_t *size)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to = memfd_create("library", MFD_CLOEXEC);
	char buffer[65536];
	ssize_t n;

	assert_true(from >= 0 && to >= 0);
	*size = 0;
	while ((n = read(from, buffer, sizeof(buffer))) > 0) {
		assert_int_equal(write(to, buffer, (size_t)n), n);
		*size += (size_t)n;
	}
	close(from);
	return to;
}

static void test_cut_anywhere(void **unused)
{
	struct known known = find_known();
	uint64_t offset;
	size_t size;
	int fd = copy_of(known.path, &size);

	(void)unused;
	for (size_t length = size; length > 16; length = length * 3 / 4) {
		assert_int_equal(ftruncate(fd, (off_t)length), 0);
		(void)elf_find_function(fd, symbol, &offset);
	}
	assert_int_equal(elf_find_function(fd, symbol, &offset), -ENOEXEC);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(elf_find_function(fd, symbol, &offset), -ENOEXEC);
	close(fd);
}

/* Each byte of the headers and tables by any other one: it ends, and reads nothing that is not there. */
static void test_spoilt_bytes(void **unused)
{
	struct known known = find_known();
	uint64_t seed = 1;
	uint64_t offset;
	size_t size;
	int fd = copy_of(known.path, &size);

	(void)unused;
	for (int i = 0; i < 20000; i++) {
		off_t at = (off_t)(random_next(&seed) % (i % 2 ? 2048 : size));
		unsigned char before, byte = (unsigned char)(i % 3 ? random_next(&seed) : 0xff);
		int err;

		assert_int_equal(pread(fd, &before, 1, at), 1);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		err = elf_find_function(fd, symbol, &offset);
		assert_true(err == 0 || err == -ENOENT || err == -ENOEXEC);
		assert_int_equal(pwrite(fd, &before, 1, at), 1);
	}
	assert_int_equal(elf_find_function(fd, symbol, &offset), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_dynamic_linker_finds_it),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_spoilt_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
