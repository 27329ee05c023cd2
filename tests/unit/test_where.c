// SPDX-License-Identifier: BSD-2-Clause
/* Where waits were, on cases that were worked out by hand. */
#include "unit.h"

#include <string.h>

#include "base/units.h"
#include "judge/where.h"

enum { TRAINER = 100, READ = 0, WRITE = 1 };

/* Two workers: 200 waits 6 s for /data/a and 2 s for /data/b on vda, 300 waits 1 s for /data/b and 1 s for /home/c. */
struct built {
	struct verdict verdict;
	struct report report;
	struct producer producers[4];
	struct process_report processes[4];
	struct file_report files[8];
};

static void put_file(struct file_report *file, const char *path, const char *mount,
		     const char *device, int kind, uint64_t seconds)
{
	*file = (struct file_report){ .path = path, .mount = mount };
	strcpy(file->device_name, device);
	file->kind_ns[kind] = file->wait_ns = seconds * NS_PER_S;
}

static void build(struct built *b)
{
	*b = (struct built){ 0 };
	put_file(&b->files[0], "/data/a", "/data", "vda", READ, 6);
	put_file(&b->files[1], "/data/b", "/data", "vda", READ, 2);
	put_file(&b->files[2], "/data/b", "/data", "vda", READ, 1);
	put_file(&b->files[3], "/home/c", "/home", "vdb", READ, 1);
	b->processes[0] = (struct process_report){ .pid = 200, .files = b->files, .file_count = 2 };
	b->processes[1] =
		(struct process_report){ .pid = 300, .files = &b->files[2], .file_count = 2 };
	b->processes[0].ledger.ns[LEDGER_STORAGE_READ] = 8ULL * NS_PER_S;
	b->processes[1].ledger.ns[LEDGER_STORAGE_READ] = 2ULL * NS_PER_S;
	b->report = (struct report){ .processes = b->processes, .process_count = 2 };
	b->producers[0] =
		(struct producer){ .tid = 200, .pid = 200, .critical = true, .on_clock_s = 6 };
	b->producers[1] =
		(struct producer){ .tid = 300, .pid = 300, .critical = true, .on_clock_s = 3 };
	b->producers[2] =
		(struct producer){ .tid = 301, .pid = 300, .critical = true, .on_clock_s = 3 };
	b->producers[3] = (struct producer){ .tid = 400, .pid = 400, .on_clock_s = 1 };
	b->verdict = (struct verdict){ .pid = TRAINER,
				       .class = CLASS_STORAGE,
				       .input = INPUT_PROCESSES,
				       .producers = b->producers,
				       .producer_count = 4 };
	b->verdict.blame_pct[CLASS_STORAGE] = 80;
	b->verdict.blame_pct[CLASS_CPU] = 10;
	b->verdict.blame_pct[CLASS_PIPELINE] = 10;
}

static void check(const struct where *where, enum where_kind kind, const char *name,
		  const char *device, pid_t pid, double pct)
{
	assert_int_equal(where->kind, kind);
	assert_string_equal(where->name, name);
	assert_string_equal(where->device, device);
	assert_int_equal(where->pid, pid);
	assert_float_equal(where->pct, pct, 1e-9);
}

static void test_by_kind(void **unused)
{
	struct where list[WHERE_MOST];
	struct built b;

	(void)unused;
	build(&b);
	assert_int_equal(where_find(list, &b.verdict, &b.report), 9);
	/* 9 of 10 s were on vda, of 80 % of the blame. */
	check(&list[0], WHERE_DEVICE, "vda", "", 0, 72);
	check(&list[1], WHERE_DEVICE, "vdb", "", 0, 8);
	check(&list[2], WHERE_MOUNT, "/data", "vda", 0, 72);
	check(&list[3], WHERE_MOUNT, "/home", "vdb", 0, 8);
	check(&list[4], WHERE_FILE, "/data/a", "vda", 0, 48);
	check(&list[5], WHERE_FILE, "/data/b", "vda", 0, 24);
	check(&list[6], WHERE_FILE, "/home/c", "vdb", 0, 8);
	/* 6 of 12 s each, of the 90 % in which producers worked. */
	check(&list[7], WHERE_PROCESS, "", "", 200, 45);
	check(&list[8], WHERE_PROCESS, "", "", 300, 45);
}

/* Files that are not known keep their part. */
static void test_unplaced(void **unused)
{
	struct where list[WHERE_MOST];
	struct built b;

	(void)unused;
	build(&b);
	b.processes[1].ledger.ns[LEDGER_STORAGE_FAULT] = 10ULL * NS_PER_S;
	where_find(list, &b.verdict, &b.report);
	check(&list[0], WHERE_DEVICE, "vda", "", 0, 36);
	/* A ledger that has less than the places: they do not exceed the blame. */
	b.processes[0].ledger.ns[LEDGER_STORAGE_READ] = 0;
	b.processes[1].ledger = (struct ledger){ { 0 } };
	where_find(list, &b.verdict, &b.report);
	check(&list[0], WHERE_DEVICE, "vda", "", 0, 72);
}

/* Others' waits, and idle ones', are not what it waited for. */
static void test_whose(void **unused)
{
	struct where list[WHERE_MOST];
	struct built b;

	(void)unused;
	build(&b);
	b.producers[1].critical = b.producers[2].critical = false;
	assert_int_equal(where_find(list, &b.verdict, &b.report), 5);
	check(&list[0], WHERE_DEVICE, "vda", "", 0, 80);
	check(&list[2], WHERE_FILE, "/data/a", "vda", 0, 60);
	check(&list[4], WHERE_PROCESS, "", "", 200, 90);
}

/* No device, no mount that is known. */
static void test_without_device(void **unused)
{
	struct where list[WHERE_MOST];
	struct built b;

	(void)unused;
	build(&b);
	for (int i = 0; i < 4; i++) {
		b.files[i].device_name[0] = '\0';
		b.files[i].mount = NULL;
	}
	assert_int_equal(where_find(list, &b.verdict, &b.report), 5);
	check(&list[0], WHERE_FILE, "/data/a", "", 0, 48);
	check(&list[3], WHERE_PROCESS, "", "", 200, 45);
}

/* A trainer that reads itself; what it writes is no input. */
static void test_own(void **unused)
{
	struct where list[WHERE_MOST];
	struct built b;

	(void)unused;
	build(&b);
	b.verdict.input = INPUT_OWN;
	b.verdict.producer_count = 0;
	b.processes[0].pid = TRAINER;
	put_file(&b.files[1], "/data/model", "/data", "vda", WRITE, 2);
	b.processes[0].ledger.ns[LEDGER_STORAGE_READ] = 6ULL * NS_PER_S;
	b.processes[0].ledger.ns[LEDGER_FSYNC] = 2ULL * NS_PER_S;
	assert_int_equal(where_find(list, &b.verdict, &b.report), 3);
	check(&list[0], WHERE_DEVICE, "vda", "", 0, 80);
	check(&list[2], WHERE_FILE, "/data/a", "vda", 0, 80);
}

static void test_none(void **unused)
{
	struct where list[WHERE_MOST];
	struct built b;

	(void)unused;
	build(&b);
	/* Nothing is blamed on storage. */
	b.verdict.blame_pct[CLASS_STORAGE] = 0;
	assert_int_equal(where_find(list, &b.verdict, &b.report), 2);
	check(&list[0], WHERE_PROCESS, "", "", 200, 5);
	/* Below 1 %. */
	b.verdict.blame_pct[CLASS_CPU] = 1;
	assert_int_equal(where_find(list, &b.verdict, &b.report), 0);
	b.report.process_count = 0;
	b.verdict.producer_count = 0;
	assert_int_equal(where_find(list, &b.verdict, &b.report), 0);
}

static void check_folder(const struct built *b, const char *folder)
{
	const char *path;
	size_t length = where_find_folder(&path, &b->verdict, &b->report);

	assert_int_equal(length, strlen(folder));
	assert_memory_equal(path, folder, length);
}

/* 9 of 10 s are below /data. */
static void test_folder(void **unused)
{
	struct built b;

	(void)unused;
	build(&b);
	check_folder(&b, "/data");
	b.files[0].path = "/data/1/2/x";
	b.files[1].path = "/data/1/2/y";
	b.files[2].path = "/data/1/3/z";
	check_folder(&b, "/data/1");
	b.files[2].path = "/data1/3/z";
	check_folder(&b, "");
	b.files[0].path = "(vda)";
	check_folder(&b, "");
	b.processes[0].file_count = b.processes[1].file_count = 0;
	check_folder(&b, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_kind), cmocka_unit_test(test_unplaced),
		cmocka_unit_test(test_whose),   cmocka_unit_test(test_without_device),
		cmocka_unit_test(test_folder),  cmocka_unit_test(test_own),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
