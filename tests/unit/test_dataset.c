// SPDX-License-Identifier: BSD-2-Clause
/* A trainer's data: where it is and whether it fits, worked out by hand; and folders that are counted. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.h"
#include "judge/advice.h"
#include "judge/dataset.h"
#include "show/words.h"

enum { TRAINER = 100, WORKER = 200, FILES = 64, READ = 0, WRITE = 1, META = 2 };

/* A worker, its trainer, and what whystall found out of the folder. */
struct built {
	struct verdict verdict;
	struct report report;
	struct producer producers[1];
	struct process_report processes[2];
	struct file_report files[FILES];
	struct io_row rows[1];
	struct limits limits[1];
	struct dataset dataset[1];
};

static void build(struct built *b)
{
	memset(b, 0, sizeof(*b));
	b->producers[0] = (struct producer){
		.tid = WORKER, .pid = WORKER, .critical = true, .on_clock_s = 10
	};
	b->processes[0] =
		(struct process_report){ .pid = WORKER, .files = b->files, .io = b->rows };
	b->processes[1] = (struct process_report){ .pid = TRAINER };
	b->limits[0] =
		(struct limits){ .pid = TRAINER,
				 .memory = { .known = true, .bytes = 1000, .host_bytes = 1000 } };
	b->dataset[0] = (struct dataset){
		.pid = TRAINER,
		.place = { .shape = DATASET_TREE, .path = "/data" },
		.counted = true,
		.count = { .files = 10, .bytes = 600, .complete = true, .read_bytes = 150 },
	};
	b->report = (struct report){ .processes = b->processes,
				     .process_count = 2,
				     .limits = b->limits,
				     .limits_count = 1,
				     .datasets = b->dataset,
				     .dataset_count = 1 };
	b->verdict = (struct verdict){ .pid = TRAINER,
				       .class = CLASS_STORAGE,
				       .input = INPUT_PROCESSES,
				       .producers = b->producers,
				       .producer_count = 1,
				       .share_known = true };
	b->verdict.blame_pct[CLASS_STORAGE] = 100;
}

static struct file_report *add_file(struct built *b, const char *path, double read_s)
{
	struct file_report *file = &b->files[b->processes[0].file_count++];

	*file = (struct file_report){ .path = path, .bytes = 10, .read_bytes = 10 };
	file->kind_ns[READ] = file->wait_ns = (uint64_t)(read_s * NS_PER_S);
	return file;
}

static void expect_place(const struct built *b, enum dataset_shape shape, const char *path,
			 const char *ending, size_t files)
{
	struct dataset_place place;
	struct dataset_file *list;
	size_t count;

	assert_int_equal(dataset_find(&place, &list, &count, &b->verdict, &b->report), 1);
	assert_string_equal(place.path, path);
	assert_int_equal(place.shape, shape);
	assert_string_equal(place.ending, ending);
	assert_int_equal(count, files);
	free(list);
}

static void expect_no_place(const struct built *b)
{
	struct dataset_place place;
	struct dataset_file *list;
	size_t count;

	assert_int_equal(dataset_find(&place, &list, &count, &b->verdict, &b->report), 0);
	assert_null(list);
	assert_int_equal(count, 0);
}

static void test_place_of_class_folders(void **unused)
{
	struct built b;

	(void)unused;
	build(&b);
	add_file(&b, "/data/train/n01/a.jpg", 3);
	add_file(&b, "/data/train/n02/a.jpg", 3);
	add_file(&b, "/data/train/n03/a.jpg", 3);
	add_file(&b, "/data/train-old/a.jpg", 0.1);
	/* First in the order of names and longest waited for, but not most. */
	add_file(&b, "/data/index", 1);
	expect_place(&b, DATASET_TREE, "/data/train", "", 3);
	add_file(&b, "/data/val/n01/a.jpg", 5);
	expect_place(&b, DATASET_TREE, "/data", "", 6);
	/* Never the root. */
	add_file(&b, "/other/a.jpg", 10);
	expect_no_place(&b);
}

static void test_place_of_shards(void **unused)
{
	struct built b;

	(void)unused;
	build(&b);
	add_file(&b, "/data/shard-0001.tar", 9);
	expect_place(&b, DATASET_FOLDER, "/data", ".tar", 1);
	add_file(&b, "/data/shard-0002.tar", 9);
	add_file(&b, "/data/raw/x.tar", 0.1);
	add_file(&b, "/data/index.json", 0.1);
	expect_place(&b, DATASET_FOLDER, "/data", ".tar", 2);
	build(&b);
	add_file(&b, "/data/train-00001-of-01024", 9);
	expect_place(&b, DATASET_FOLDER, "/data", "", 1);
	/* Pairs of files: all of them. */
	add_file(&b, "/data/1.cls", 4);
	expect_place(&b, DATASET_TREE, "/data", "", 2);
}

static void test_place_of_one_file(void **unused)
{
	struct built b;

	(void)unused;
	build(&b);
	add_file(&b, "/data/train.rec", 9);
	add_file(&b, "/data/train.idx", 1);
	expect_place(&b, DATASET_FILE, "/data/train.rec", "", 1);
	/* The root's own files have no folder but the root. */
	build(&b);
	add_file(&b, "/shard1", 9);
	expect_no_place(&b);
}

/* Programs, what is written or looked up, what has no path, and what others read. */
static void test_what_is_no_data(void **unused)
{
	static const char *const others[] = { "/usr/share/x",
					      "/lib/x",
					      "/venv/lib/site-packages/torch/x",
					      "/venv/x.so",
					      "/venv/x.so.1",
					      "/job/train.py",
					      "(vda)",
					      ".../x",
					      "(vda)/x",
					      "/data/...",
					      "" };
	struct process_report *p;
	struct built b;

	(void)unused;
	build(&b);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		add_file(&b, others[i], 9);
	expect_no_place(&b);
	add_file(&b, "/job/log", 9)->kind_ns[READ] = 0;
	add_file(&b, "/data/x", 1);
	expect_place(&b, DATASET_FILE, "/data/x", "", 1);
	p = &b.processes[0];
	b.processes[1].files = p->files;
	b.processes[1].file_count = p->file_count;
	p->file_count = 0;
	expect_no_place(&b);
}

/* Two workers read the same file: it is one, with the bytes of both. */
static void test_a_file_is_counted_once(void **unused)
{
	struct dataset_place place;
	struct dataset_file *list;
	struct built b;
	size_t count;

	(void)unused;
	build(&b);
	add_file(&b, "/data/x", 1);
	b.processes[1].files = &b.files[1];
	b.processes[1].file_count = 1;
	b.files[1] = b.files[0];
	assert_int_equal(dataset_find(&place, &list, &count, &b.verdict, &b.report), 1);
	assert_int_equal(count, 1);
	assert_int_equal(list[0].read_bytes, 20);
	free(list);
}

static struct dataset_judged judged(const struct built *b)
{
	struct dataset_judged j;

	dataset_judge(&j, &b->verdict, &b->report);
	return j;
}

/* A tenth of the memory stays free. */
static void test_fits(void **unused)
{
	struct dataset_count *count;
	struct built b;

	(void)unused;
	build(&b);
	count = &b.dataset[0].count;
	count->bytes = 900;
	assert_true(judged(&b).fits_known && judged(&b).fits);
	count->bytes = 901;
	assert_true(judged(&b).fits_known && !judged(&b).fits);
	/* At least so much. */
	count->complete = false;
	assert_true(judged(&b).fits_known && !judged(&b).fits);
	count->bytes = 1;
	assert_false(judged(&b).fits_known || judged(&b).fits);
	count->complete = true;
	/* By the limit of a control group alone. */
	count->bytes = 500;
	b.limits[0].memory.bytes = 100;
	assert_true(judged(&b).fits_known && !judged(&b).fits && judged(&b).fits_host);
	b.limits[0].memory.known = false;
	assert_false(judged(&b).fits_known || judged(&b).fits);
	build(&b);
	b.dataset[0].counted = false;
	assert_false(judged(&b).fits_known || judged(&b).fits);
	b.dataset[0].pid++;
	assert_null(judged(&b).dataset);
}

static void test_what_becomes_of_pages(void **unused)
{
	struct dataset_count *count;
	struct built b;

	(void)unused;
	build(&b);
	count = &b.dataset[0].count;
	assert_int_equal(judged(&b).cache, CACHE_FILLING);
	assert_float_equal(judged(&b).epochs_seen, 0.25, 1e-9);
	/* It may have read all of it before. */
	b.processes[1].start_s = -0.1;
	assert_int_equal(judged(&b).cache, CACHE_UNKNOWN);
	/* It waited until all was attached. */
	b.report.started = true;
	assert_int_equal(judged(&b).cache, CACHE_FILLING);
	b.report.started = false;
	count->again_bytes = 7;
	assert_int_equal(judged(&b).cache, CACHE_UNKNOWN);
	count->again_bytes = 8;
	assert_int_equal(judged(&b).cache, CACHE_DROPPED);
	count->again_bytes = 1050;
	assert_float_equal(judged(&b).epochs_seen, 2, 1e-9);
	/* Not all files had a row. */
	b.report.loss.files_dropped = 1;
	assert_int_equal(judged(&b).cache, CACHE_DROPPED);
	assert_float_equal(judged(&b).epochs_seen, 0, 1e-9);
	count->again_bytes = 0;
	b.processes[1].start_s = 0;
	assert_int_equal(judged(&b).cache, CACHE_FILLING);
	assert_false(judged(&b).read_known);
	/* A file system without a device: nothing is counted. */
	build(&b);
	b.dataset[0].count.read_bytes = 0;
	assert_int_equal(judged(&b).cache, CACHE_UNKNOWN);
	assert_false(judged(&b).read_known);
}

static void test_direct_reads(void **unused)
{
	struct built b;

	(void)unused;
	build(&b);
	add_file(&b, "/data/x", 1)->read_bytes = 100;
	b.dataset[0].count.read_bytes = 20;
	b.processes[0].io_count = 1;
	b.rows[0].key.op = IO_READ;
	b.rows[0].bytes = 201;
	assert_int_equal(judged(&b).cache, CACHE_BYPASSED);
	b.rows[0].bytes = 200;
	assert_int_equal(judged(&b).cache, CACHE_FILLING);
	/* A file system's own data. */
	b.rows[0].bytes = 201;
	b.dataset[0].count.read_bytes = 21;
	assert_int_equal(judged(&b).cache, CACHE_FILLING);
	b.dataset[0].count.read_bytes = 20;
	b.rows[0].key.lower = 1;
	assert_int_equal(judged(&b).cache, CACHE_FILLING);
	b.rows[0].key.lower = 0;
	b.rows[0].key.op = IO_WRITE;
	assert_int_equal(judged(&b).cache, CACHE_FILLING);
}

/* An epoch takes 1; then a copy takes 1, and each epoch 1/speedup: 1 + n/4 = n for n = 4/3. */
static void test_paying(void **unused)
{
	struct dataset_judged j;
	struct built b;

	(void)unused;
	build(&b);
	j = judged(&b);
	assert_float_equal(dataset_epochs_to_pay(&j, 4), 1, 1e-9);
	j.cache = CACHE_BYPASSED;
	assert_float_equal(dataset_epochs_to_pay(&j, 0), 1, 1e-9);
	j.cache = CACHE_DROPPED;
	assert_float_equal(dataset_epochs_to_pay(&j, 4), 4.0 / 3, 1e-9);
	assert_float_equal(dataset_epochs_to_pay(&j, 1.25), 5, 1e-9);
	assert_float_equal(dataset_epochs_to_pay(&j, 1), 0, 1e-9);
	assert_float_equal(dataset_epochs_to_pay(&j, 0), 0, 1e-9);
	j.fits = false;
	assert_float_equal(dataset_epochs_to_pay(&j, 4), 0, 1e-9);
}

/* The advice on it with a speedup of 4; NULL: none. */
static const struct advice *advised(const struct built *b, struct advice list[ADVICE_MOST])
{
	struct what_ifs what_ifs = { .count = 1,
				     .list = { { .change = CHANGE_STORAGE, .speedup = 4 } } };
	size_t count = advice_find(list, &b->verdict, &b->report);

	what_ifs.told[CHANGE_STORAGE] = true;
	count = advice_rate(list, count, &what_ifs);
	for (size_t i = 0; i < count; i++)
		if (list[i].kind == ADVICE_CACHE)
			return &list[i];
	return NULL;
}

static void expect_words(const struct built *b, const char *what, const char *because)
{
	struct advice list[ADVICE_MOST];
	const struct advice *advice = advised(b, list);
	struct advice_words words;

	assert_non_null(advice);
	assert_float_equal(advice->speedup, 4, 1e-9);
	advice_describe(&words, advice, &b->verdict);
	assert_string_equal(words.what, what);
	assert_string_equal(words.because, because);
}

static void test_words(void **unused)
{
	struct advice list[ADVICE_MOST];
	struct dataset_place *place;
	struct built b;

	(void)unused;
	build(&b);
	expect_words(
		&b,
		"keep /data in memory: the page cache does so by itself, wait for the first epoch's end",
		"600 B (150 B of it read so far) fit into the 1000 B that are available; it pays from the second epoch on");
	place = &b.dataset[0].place;
	b.dataset[0].count.again_bytes = 100;
	place->shape = DATASET_FOLDER;
	strcpy(place->path, "/da\nta\x1b[2J");
	strcpy(place->ending, ".tar");
	expect_words(
		&b,
		"keep /da\\x0ata\\x1b[2J/*.tar in memory: find out who drops its pages (a memory limit, POSIX_FADV_DONTNEED), or copy it to a tmpfs once",
		"600 B (150 B of it read so far) fit into the 1000 B that are available, but 100 B of it were read again; a copy pays after 1.3 epochs");
	build(&b);
	b.limits[0].memory.bytes = 100;
	strcpy(b.limits[0].memory.group, "/sys/fs/cgroup/job");
	expect_words(
		&b,
		"raise the memory limit of /sys/fs/cgroup/job: /data would fit into the memory of this host",
		"it does not fit: it has 600 B (150 B of it read so far), and 100 B of memory are available (limit of /sys/fs/cgroup/job)");
	build(&b);
	b.dataset[0].count.bytes = 5000;
	b.dataset[0].count.complete = false;
	expect_words(
		&b, "move /data to faster storage: it does not fit into memory",
		"it does not fit: it has at least 4.9 KiB (150 B of it read so far), and 1000 B of memory are available");
	/* In the framework's terms. */
	build(&b);
	b.processes[1].start_s = -60;
	b.verdict.frameworks = FRAMEWORK_PYTHON | FRAMEWORK_TENSORFLOW;
	b.verdict.input = INPUT_THREADS;
	expect_words(
		&b,
		"keep /data in memory: if a second epoch waits for it too, Dataset.cache() it as it is read",
		"600 B (150 B of it read so far) fit into the 1000 B that are available; a copy pays after 1.3 epochs");
	build(&b);
	b.dataset[0].count.complete = false;
	/* Where nothing is known of it, nothing is said. */
	b.dataset[0].count.bytes = 5;
	assert_null(advised(&b, list));
	build(&b);
	b.verdict.class = CLASS_NETWORK;
	assert_null(advised(&b, list));
}

/* The longest names that there can be. */
static void test_long_words(void **unused)
{
	struct advice list[ADVICE_MOST];
	struct advice_words words;
	struct built b;

	(void)unused;
	build(&b);
	memset(b.dataset[0].place.path, '\1', DATASET_PATH_LEN - 1);
	memset(b.limits[0].memory.group, '\1', LIMITED_GROUP_LEN - 1);
	b.dataset[0].place.shape = DATASET_FOLDER;
	memset(b.dataset[0].place.ending, '\1', DATASET_ENDING_LEN - 1);
	b.limits[0].memory.bytes = 100;
	assert_non_null(advised(&b, list));
	advice_describe(&words, advised(&b, list), &b.verdict);
	assert_non_null(strstr(words.because, "are available (limit of \\x01"));
	b.limits[0].memory.bytes = 1000;
	advice_describe(&words, advised(&b, list), &b.verdict);
	assert_non_null(strstr(words.because, "it pays from the second epoch on"));
}

static char folder[64];

static const char *at(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void put(const char *name, off_t bytes)
{
	int fd = open(at(name), O_CREAT | O_WRONLY | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	close(fd);
}

/* 2 + 3 files: 1,000 bytes, a hole of 1 GB, and in class folders 10 each. */
static int make_folder(void **unused)
{
	char other[512];

	(void)unused;
	strcpy(folder, "/tmp/whystall-dataset-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	put("a.tar", 1000);
	put("hole.tar", 1000000000);
	mkdir(at("n1"), 0700);
	mkdir(at("n1/n2"), 0700);
	put("n1/x\n\x1b[2J", 10);
	put("n1/n2/x", 10);
	put("n1/n2/y.tar", 10);
	/* Another name of one, and ways that lead in circles and out. */
	strcpy(other, at("n1/again"));
	if (link(at("a.tar"), other) || symlink(".", at("loop")) || symlink("/usr", at("usr")) ||
	    symlink("a.tar", at("b.tar")) || mkfifo(at("fifo.tar"), 0600))
		return -1;
	return 0;
}

static int remove_folder(void **unused)
{
	char command[128];

	(void)unused;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static struct dataset_place place_of(enum dataset_shape shape, const char *name, const char *ending)
{
	struct dataset_place place = { .shape = shape };

	snprintf(place.path, sizeof(place.path), "%s%s", folder, name);
	strcpy(place.ending, ending);
	return place;
}

static struct dataset_count count_until(const struct dataset_place *place,
					const struct dataset_file *files, size_t file_count,
					uint64_t deadline_ns)
{
	struct dataset_count count;
	int fd = open(folder, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	dataset_count(&count, place, fd, files, file_count, deadline_ns);
	close(fd);
	return count;
}

static void expect_count(const struct dataset_count *count, uint64_t files, uint64_t bytes)
{
	assert_true(count->complete);
	assert_int_equal(count->files, files);
	assert_int_equal(count->bytes, bytes);
}

static void test_count(void **unused)
{
	struct dataset_place place = place_of(DATASET_TREE, "", "");
	struct dataset_count count = count_until(&place, NULL, 0, UINT64_MAX);

	(void)unused;
	expect_count(&count, 5, 1000001030);
	place = place_of(DATASET_FOLDER, "", ".tar");
	count = count_until(&place, NULL, 0, UINT64_MAX);
	expect_count(&count, 2, 1000001000);
	place = place_of(DATASET_FOLDER, "", ".zip");
	count = count_until(&place, NULL, 0, UINT64_MAX);
	expect_count(&count, 0, 0);
	place = place_of(DATASET_FILE, "/a.tar", "");
	count = count_until(&place, NULL, 0, UINT64_MAX);
	expect_count(&count, 1, 1000);
	/* Gone meanwhile, or no regular file by now. */
	place = place_of(DATASET_FILE, "/b.tar", "");
	assert_false(count_until(&place, NULL, 0, UINT64_MAX).complete);
	place = place_of(DATASET_FILE, "/none", "");
	assert_false(count_until(&place, NULL, 0, UINT64_MAX).complete);
	place = place_of(DATASET_TREE, "", "");
	count = count_until(&place, NULL, 0, 0);
	assert_false(count.complete);
	assert_int_equal(count.files, 0);
}

static void test_count_what_was_read(void **unused)
{
	struct dataset_place place = place_of(DATASET_TREE, "", "");
	char paths[5][512];
	const struct dataset_file files[] = {
		{ paths[0], 4096 },         /* 1,000 bytes, in whole pages */
		{ paths[1], 500 },          /* a part */
		{ paths[2], 4096 + 12288 }, /* 10 bytes, four times */
		{ paths[3], 7777 },         /* gone */
		{ paths[4], 7777 },         /* a link, which leads out */
	};
	static const char *const names[] = { "a.tar", "hole.tar", "n1/n2/x", "gone",
					     "usr/bin/env" };
	struct dataset_count count;

	(void)unused;
	if (sysconf(_SC_PAGESIZE) != 4096)
		skip();
	for (int i = 0; i < 5; i++)
		strcpy(paths[i], at(names[i]));
	count = count_until(&place, files, 5, UINT64_MAX);
	expect_count(&count, 5, 1000001030);
	assert_int_equal(count.read_files, 3);
	assert_int_equal(count.read_bytes, 1510);
	assert_int_equal(count.again_bytes, 12288);
}

static struct dataset_count count_apart(const struct dataset_place *place, const char *name,
					int expected)
{
	struct dataset_count count = { 0 };
	struct apart apart = { 0 };
	char path[512];
	const struct dataset_file file = { .path = path, .read_bytes = 500 };

	strcpy(path, at(name));
	assert_int_equal(
		dataset_count_apart(&count, &apart, place, getpid(), &file, 1, 10ULL * NS_PER_S),
		expected);
	return count;
}

static void test_count_apart(void **unused)
{
	struct dataset_place place = place_of(DATASET_TREE, "", "");
	struct dataset_count count = count_apart(&place, "a.tar", 0);

	(void)unused;
	expect_count(&count, 5, 1000001030);
	assert_int_equal(count.read_bytes, 500);
	/* It is another folder, as it seems. */
	count_apart(&place, "none", -ENOENT);
	place = place_of(DATASET_TREE, "/gone", "");
	count_apart(&place, "gone/x", -ENOENT);
	place = place_of(DATASET_TREE, "/loop/n1", "");
	count_apart(&place, "loop/n1/x", -ELOOP);
	place = place_of(DATASET_FILE, "/a.tar", "");
	count = count_apart(&place, "a.tar", 0);
	expect_count(&count, 1, 1000);
	place = (struct dataset_place){ .shape = DATASET_TREE, .path = "/" };
	count_apart(&place, "a.tar", -EINVAL);
}

/* Somebody who may not enter all of it. */
static void test_folder_that_cannot_be_read(void **unused)
{
	struct dataset_place place = place_of(DATASET_TREE, "", "");
	int status;
	pid_t pid;

	(void)unused;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(folder, 0755), 0);
	pid = fork();
	if (pid == 0) {
		struct dataset_count count;
		int fd = open(folder, O_RDONLY | O_DIRECTORY);

		if (setgid(65534) || setuid(65534))
			_exit(2);
		dataset_count(&count, &place, fd, NULL, 0, UINT64_MAX);
		_exit(count.complete || count.files != 2 || count.bytes != 1000001000);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* More names of files than the first table of inodes has room for. */
static void test_many_links(void **unused)
{
	struct dataset_place place = place_of(DATASET_TREE, "", "");
	struct dataset_count count;
	char name[32], other[512];

	(void)unused;
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		put(name, 1);
		strcpy(other, at(name));
		snprintf(name, sizeof(name), "m%d", i);
		assert_int_equal(link(other, at(name)), 0);
	}
	count = count_until(&place, NULL, 0, UINT64_MAX);
	expect_count(&count, 1505, 1000002530);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_place_of_class_folders),
		cmocka_unit_test(test_place_of_shards),
		cmocka_unit_test(test_place_of_one_file),
		cmocka_unit_test(test_what_is_no_data),
		cmocka_unit_test(test_a_file_is_counted_once),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_what_becomes_of_pages),
		cmocka_unit_test(test_direct_reads),
		cmocka_unit_test(test_paying),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test_setup_teardown(test_count, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_count_what_was_read, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_count_apart, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_folder_that_cannot_be_read, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_many_links, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
