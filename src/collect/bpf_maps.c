// SPDX-License-Identifier: BSD-2-Clause
#include "collect/bpf_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/order.h"
#include "base/units.h"
#include "collect/bpf_threads.h"
#include "collect/diskstats.h"
#include "collect/markers.h"
#include "collect/procfs.h"
#include "collect/skipped.h"
#include "whystall.skel.h"

/* So many requests in flight are looked at in one call; the rest comes with the next. */
enum { MAX_SUSPECTS = 1024 };

/* Threads would have to end within each of so many readings. */
enum { MAX_READINGS = 1000 };

/* 0 while all that was asked for could be reached. */
static int tables_error(const struct bpf_maps *maps)
{
	for (int i = 0; i < TABLES; i++)
		if (maps->tables[i].err)
			return maps->tables[i].err;
	return 0;
}

static int open_tables(struct bpf_maps *maps, struct fault *fault)
{
	struct whystall_bpf *skel = maps->skel;
	const struct {
		const struct bpf_map *map;
		size_t entry_bytes;
	} tables[TABLES] = {
		[TABLE_ROWS] = { skel->maps.rows, sizeof(*maps->rows) },
		[TABLE_OWNERS] = { skel->maps.owners, sizeof(*maps->owners) },
		[TABLE_INFLIGHT] = { skel->maps.inflight, sizeof(*maps->inflight) },
		[TABLE_FILES] = { skel->maps.files, sizeof(*maps->files) },
		[TABLE_FILE_NAMES] = { skel->maps.file_names, 1 },
		[TABLE_THREADS] = { skel->maps.threads, sizeof(*maps->threads) },
		[TABLE_CONCURRENCY] = { skel->maps.concurrency, sizeof(*maps->concurrency) },
	};

	for (int i = 0; i < TABLES; i++) {
		int err = table_open(&maps->tables[i], tables[i].map, tables[i].entry_bytes);

		if (err)
			return fault_set(fault, err, "cannot map the table %s: %s",
					 bpf_map__name(tables[i].map), strerror(-err));
	}
	maps->rows = (void *)maps->tables[TABLE_ROWS].at;
	maps->owners = (void *)maps->tables[TABLE_OWNERS].at;
	maps->inflight = (void *)maps->tables[TABLE_INFLIGHT].at;
	maps->files = (void *)maps->tables[TABLE_FILES].at;
	maps->file_names = maps->tables[TABLE_FILE_NAMES].at;
	maps->threads = (void *)maps->tables[TABLE_THREADS].at;
	maps->concurrency = (void *)maps->tables[TABLE_CONCURRENCY].at;
	return 0;
}

/* The small ones, and what is used all over. */
static int reach_whole(struct bpf_maps *maps, struct fault *fault)
{
	table_reach(&maps->tables[TABLE_INFLIGHT], 0, maps->tables[TABLE_INFLIGHT].entries);
	table_reach(&maps->tables[TABLE_CONCURRENCY], 0, maps->tables[TABLE_CONCURRENCY].entries);
	table_reach(&maps->tables[TABLE_OWNERS], 0, OWNER_FIRST);
	if (tables_error(maps))
		return fault_set(fault, tables_error(maps), "cannot map a table: %s",
				 strerror(-tables_error(maps)));
	return 0;
}

int bpf_maps_open(struct bpf_maps *maps, struct whystall_bpf *skel, struct fault *fault)
{
	int err;

	maps->skel = skel;
	maps->max_rows = bpf_map__max_entries(skel->maps.rows);
	maps->max_owners = bpf_map__max_entries(skel->maps.owners);
	maps->max_keys_used = (maps->max_rows - RESERVED_ROWS) / 4 * 3;
	maps->notes = calloc(maps->max_owners, sizeof(*maps->notes));
	maps->retired = calloc(maps->max_rows, sizeof(*maps->retired));
	maps->suspects = calloc(MAX_SUSPECTS, sizeof(*maps->suspects));
	if (!maps->notes || !maps->retired || !maps->suspects)
		return fault_set(fault, -ENOMEM, "out of memory");
	err = open_tables(maps, fault);
	if (err)
		return err;
	err = reach_whole(maps, fault);
	if (err)
		return err;
	for (uint32_t i = 0; i < OWNER_FIRST; i++)
		maps->owners[i].kind = OWNER_FIXED;
	return 0;
}

void bpf_maps_close(struct bpf_maps *maps)
{
	for (int i = 0; i < TABLES; i++)
		table_close(&maps->tables[i]);
	mounts_free(&maps->mounts);
	free(maps->notes);
	free(maps->retired);
	free(maps->suspects);
	sample_free(&maps->disks);
	batch_free(&maps->batch);
	free(maps->exited);
	memset(maps, 0, sizeof(*maps));
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
	return value < limit ? value : limit;
}

uint32_t bpf_maps_used(struct table *table, const uint32_t *counter)
{
	return table_reach(table, 0, __atomic_load_n(counter, __ATOMIC_ACQUIRE));
}

uint32_t bpf_maps_owners_used(struct bpf_maps *maps)
{
	return bpf_maps_used(&maps->tables[TABLE_OWNERS], &maps->skel->data->owners_used);
}

/* Rows [RESERVED_ROWS, rows_end) have been handed out once; reserved ones are [0, reserved_end). */
static uint32_t rows_end(struct bpf_maps *maps)
{
	return table_reach(&maps->tables[TABLE_ROWS], RESERVED_ROWS,
			   __atomic_load_n(&maps->skel->data->rows_used, __ATOMIC_ACQUIRE));
}

static uint32_t reserved_end(struct bpf_maps *maps)
{
	uint32_t used = __atomic_load_n(&maps->skel->bss->reserved_rows_used, __ATOMIC_ACQUIRE);

	return table_reach(&maps->tables[TABLE_ROWS], 0, at_most(used, RESERVED_ROWS));
}

/* A row that BPF names: it may be newer than those that were reached last. */
static bool reach_row(struct bpf_maps *maps, uint32_t row)
{
	return row < table_reach(&maps->tables[TABLE_ROWS], row, row + 1);
}

static bool row_live(const struct bpf_maps *maps, uint32_t i)
{
	return __atomic_load_n(&maps->rows[i].live, __ATOMIC_ACQUIRE) != 0;
}

static int read_rows(struct bpf_maps *maps, uint32_t begin, uint32_t end, struct sample *sample)
{
	for (uint32_t i = begin; i < end; i++) {
		struct io_row *row;

		if (!row_live(maps, i))
			continue;
		row = sample_add_row(sample);
		if (!row)
			return -ENOMEM;
		*row = maps->rows[i];
	}
	return 0;
}

static bool is_process(const struct owner *o)
{
	return o->kind == OWNER_PROCESS || o->kind == OWNER_SERVER;
}

static int read_owners(struct bpf_maps *maps, struct sample *sample)
{
	uint32_t end = bpf_maps_owners_used(maps);

	for (uint32_t i = 0; i < end; i++) {
		struct owner_sample *o = sample_add_owner(sample);
		const struct owner_note *note = &maps->notes[i];

		if (!o)
			return -ENOMEM;
		o->owner = maps->owners[i];
		o->cgroup[0] = '\0';
		o->frameworks = 0;
		o->marker_missing = 0;
		o->bytes_unknown = false;
		if (o->owner.kind == OWNER_PROCESS && maps->markers) {
			o->frameworks =
				markers_frameworks(maps->markers, i, o->owner.start_boot_ns);
			o->marker_missing =
				markers_missing(maps->markers, i, o->owner.start_boot_ns);
		}
		if (is_process(&o->owner) && note->asked &&
		    note->start_boot_ns == o->owner.start_boot_ns) {
			memcpy(o->cgroup, note->cgroup, sizeof(o->cgroup));
			if (!o->owner.cmdline_len) {
				memcpy(o->owner.cmdline, note->cmdline, sizeof(note->cmdline));
				o->owner.cmdline_len = note->cmdline_len;
			}
		}
	}
	sample->owners[OWNER_EXITED].owner.threads = maps->exited_processes;
	return 0;
}

/*
 * A thread that ends moves from the one table to the other: read both again when that happened meanwhile,
 * or its time would be in none or in both.
 */
static int read_owners_and_threads(struct bpf_maps *maps, struct sample *sample)
{
	const struct whystall_bpf *skel = maps->skel;
	int err = 0;

	for (int i = 0; !err && i < MAX_READINGS; i++) {
		uint64_t done = __atomic_load_n(&skel->bss->closings_done, __ATOMIC_ACQUIRE);

		if (done != __atomic_load_n(&skel->bss->closings_begun, __ATOMIC_ACQUIRE) &&
		    i + 1 < MAX_READINGS) {
			sched_yield();
			continue;
		}
		sample->owner_count = 0;
		sample->thread_count = 0;
		err = read_owners(maps, sample);
		if (!err)
			err = bpf_threads_copy(maps, sample);
		if (done == __atomic_load_n(&skel->bss->closings_begun, __ATOMIC_ACQUIRE))
			break;
	}
	sample->has_ledger = skel->rodata->config_ledger;
	bpf_threads_add_open(sample);
	return err;
}

/*
 * Bios whose start BPF did not see: the kernel did not run the program, and says how often. Where there
 * is a second one, it has skipped both for each of them.
 */
static uint64_t missed_starts(const struct bpf_maps *maps)
{
	const struct whystall_bpf *skel = maps->skel;
	uint64_t first, second;

	if (!skel->bss->upper_attached)
		return 0;
	first = skipped_runs(skel->progs.upper_start);
	if (!skel->rodata->config_preemptible)
		return first;
	second = skipped_runs(skel->progs.upper_start_again);
	return first < second ? first : second;
}

static int read_concurrency(struct bpf_maps *maps, struct sample *sample)
{
	uint32_t end =
		bpf_maps_used(&maps->tables[TABLE_CONCURRENCY], &maps->skel->bss->concurrency_used);

	for (uint32_t i = 0; i < end; i++) {
		struct concurrency *c = sample_add_concurrency(sample);

		if (!c)
			return -ENOMEM;
		*c = maps->concurrency[i];
	}
	return 0;
}

static int add_edge(void *context, const void *key, const void *value)
{
	struct edge_sample *edge = sample_add_edge(context);

	if (!edge)
		return -ENOMEM;
	memcpy(&edge->key, key, sizeof(edge->key));
	memcpy(&edge->edge, value, sizeof(edge->edge));
	return 0;
}

static int read_edges(struct bpf_maps *maps, struct sample *sample)
{
	return batch_read(&maps->batch, maps->skel->maps.edges, add_edge, sample);
}

static int add_hidden_disk(void *context, const void *key, const void *value)
{
	const struct disk_name *name = value;
	struct disk_sample *disk = sample_add_disk(context);

	if (!disk)
		return -ENOMEM;
	*disk = (struct disk_sample){ .hidden = true };
	memcpy(&disk->device, key, sizeof(disk->device));
	memcpy(disk->name, name->text, sizeof(disk->name));
	disk->name[sizeof(disk->name) - 1] = '\0';
	return 0;
}

/* Disks that /proc/diskstats leaves out. */
static int read_hidden_disks(struct bpf_maps *maps, struct sample *sample)
{
	return batch_read(&maps->batch, maps->skel->maps.hidden_disks, add_hidden_disk, sample);
}

int bpf_maps_read_threads(struct bpf_maps *maps, struct sample *sample)
{
	int err = read_owners_and_threads(maps, sample);

	if (!err)
		err = read_edges(maps, sample);
	return err ? err : tables_error(maps);
}

int bpf_maps_read(struct bpf_maps *maps, struct sample *sample)
{
	int err;

	/* Rows before owners: an owner that a row names is then surely among those read. */
	err = read_rows(maps, 0, reserved_end(maps), sample);
	if (!err)
		err = read_rows(maps, RESERVED_ROWS, rows_end(maps), sample);
	for (size_t i = 0; !err && i < maps->exited_count; i++) {
		struct io_row *row = sample_add_row(sample);

		if (row)
			*row = maps->exited[i];
		else
			err = -ENOMEM;
	}
	if (!err)
		err = bpf_maps_read_threads(maps, sample);
	if (!err)
		err = read_concurrency(maps, sample);
	if (!err)
		err = read_hidden_disks(maps, sample);
	sample->compat_sleeps = __atomic_load_n(&maps->skel->bss->compat_sleeps, __ATOMIC_RELAXED);
	sample->loss = *(const struct loss *)&maps->skel->bss->loss;
	sample->loss.events_missed += missed_starts(maps);
	for (size_t i = 0; i < sample->row_count; i++)
		if (sample->rows[i].key.owner == OWNER_FOLDED)
			sample->loss.keys_folded += sample->rows[i].requests;
	return err ? err : tables_error(maps);
}

static const uint64_t suspect_age_ns = 10000000;

/* Does the kernel count this device's requests in flight? (queue/iostats) */
static bool counts_in_flight(uint32_t device)
{
	char path[96];
	int on = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/queue/iostats", device_major(device),
		 device_minor(device));
	f = fopen(path, "re");
	if (!f)
		return false; /* a partition: left alone, its disk may be busy elsewhere */
	if (fscanf(f, "%d", &on) != 1)
		on = 0;
	fclose(f);
	return on == 1;
}

static bool is_idle(const struct sample *disks, uint32_t device)
{
	const struct disk_sample *disk = sample_find_disk(disks, device, 0);

	return disk && disk->in_flight == 0 && counts_in_flight(device);
}

/* The latency of such a request is not known, its bytes are. */
static void count_missed(struct bpf_maps *maps, const struct inflight *e)
{
	struct io_row *row = &maps->rows[e->row];

	if (row->reads && row->reads <= bpf_map__max_entries(maps->skel->maps.concurrency))
		__atomic_fetch_add(&maps->concurrency[row->reads - 1].now, -1, __ATOMIC_RELAXED);

	__atomic_fetch_add(&row->requests, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&row->unissued, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&row->bytes, e->bytes, __ATOMIC_RELAXED);
	__atomic_fetch_add(&maps->skel->bss->loss.events_missed, 1, __ATOMIC_RELAXED);
}

/*
 * The order makes it safe: an entry is noted, then its device is idle, then the entry is still the
 * same. Its request has ended in between, and the kernel runs the program for C before it lowers the
 * count of requests in flight. Older kernels raise that count just after D: hence the age. Flushes are
 * left out, since kernels do not count the caller's own request as in flight.
 */
static int catch_up_requests(struct bpf_maps *maps, struct fault *fault)
{
	uint32_t entries = bpf_map__max_entries(maps->skel->maps.inflight);
	uint32_t places[MAX_SUSPECTS];
	uint64_t now = time_now_ns(CLOCK_MONOTONIC);
	size_t count = 0;
	int err;

	for (uint32_t i = 0; i < entries && count < MAX_SUSPECTS; i++) {
		const struct inflight *e = &maps->inflight[i];
		uint64_t d_ns = __atomic_load_n(&e->d_ns, __ATOMIC_RELAXED);

		if (!__atomic_load_n(&e->request, __ATOMIC_ACQUIRE) || !d_ns ||
		    d_ns + suspect_age_ns > now)
			continue;
		maps->suspects[count] = *e;
		if (reach_row(maps, maps->suspects[count].row))
			places[count++] = i;
	}
	if (!count)
		return 0;
	sample_clear(&maps->disks);
	err = diskstats_read("/proc/diskstats", &maps->disks, fault);
	for (size_t i = 0; !err && i < count; i++) {
		struct inflight *e = &maps->inflight[places[i]], *noted = &maps->suspects[i];
		__u64 request = noted->request;

		if (is_idle(&maps->disks, maps->rows[noted->row].key.device) &&
		    __atomic_load_n(&e->q_ns, __ATOMIC_ACQUIRE) == noted->q_ns &&
		    __atomic_compare_exchange_n(&e->request, &request, 0, false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			count_missed(maps, noted);
	}
	return err;
}

/* Bios that are old enough to have been missed. */
struct missed {
	struct bpf_maps *maps;
	uint64_t now;
	size_t count;
	uint64_t bios[MAX_SUSPECTS];
};

static bool is_old(const struct upper_bio *bio, uint64_t now)
{
	return bio->q_ns + suspect_age_ns < now;
}

static int note_missed(void *context, const void *key, const void *value)
{
	struct missed *missed = context;
	struct upper_bio bio;

	memcpy(&bio, value, sizeof(bio));
	if (is_old(&bio, missed->now) && missed->count < MAX_SUSPECTS)
		memcpy(&missed->bios[missed->count++], key, sizeof(missed->bios[0]));
	return 0;
}

/* The entry is gone when its completion comes first: who deletes it counts it. */
static void count_missed_bio(struct bpf_maps *maps, uint64_t key, uint64_t now)
{
	int fd = bpf_map__fd(maps->skel->maps.upper_bios);
	struct inflight e = { 0 };
	struct upper_bio bio;

	if (bpf_map_lookup_elem(fd, &key, &bio) != 0 || !reach_row(maps, bio.row) ||
	    !is_old(&bio, now) || !is_idle(&maps->disks, maps->rows[bio.row].key.device) ||
	    bpf_map_delete_elem(fd, &key) != 0)
		return;
	__atomic_fetch_add(&maps->skel->bss->upper_bios_now, -1, __ATOMIC_RELAXED);
	e.row = bio.row;
	e.bytes = bio.bytes;
	count_missed(maps, &e);
}

/* The same for bios of devices without requests. */
static int catch_up_upper(struct bpf_maps *maps, struct fault *fault)
{
	struct missed missed = { .maps = maps, .now = time_now_ns(CLOCK_MONOTONIC) };
	int err;

	if (!__atomic_load_n(&maps->skel->bss->upper_bios_now, __ATOMIC_RELAXED))
		return 0;
	err = batch_read(&maps->batch, maps->skel->maps.upper_bios, note_missed, &missed);
	if (err)
		return fault_set(fault, err, "cannot copy the bios in flight: %s", strerror(-err));
	if (!missed.count)
		return 0;
	sample_clear(&maps->disks);
	err = diskstats_read("/proc/diskstats", &maps->disks, fault);
	for (size_t i = 0; !err && i < missed.count; i++)
		count_missed_bio(maps, missed.bios[i], missed.now);
	return err;
}

int bpf_maps_catch_up(struct bpf_maps *maps, struct fault *fault)
{
	int err = catch_up_requests(maps, fault);

	return err ? err : catch_up_upper(maps, fault);
}

bool bpf_maps_has_fresh(const struct bpf_maps *maps)
{
	uint32_t entries = bpf_map__max_entries(maps->skel->maps.inflight);
	uint64_t now = time_now_ns(CLOCK_MONOTONIC);

	for (uint32_t i = 0; i < entries; i++) {
		uint64_t d_ns = __atomic_load_n(&maps->inflight[i].d_ns, __ATOMIC_RELAXED);

		if (__atomic_load_n(&maps->inflight[i].request, __ATOMIC_RELAXED) && d_ns &&
		    d_ns + suspect_age_ns > now)
			return true;
	}
	return false;
}

/* Ask /proc for the cgroup of a process, and for its command line where BPF has seen no exec. */
static void note_process(struct bpf_maps *maps, uint32_t i)
{
	const struct owner *o = &maps->owners[i];
	struct owner_note *note = &maps->notes[i];
	const uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	struct owner_note fresh = { .start_boot_ns = o->start_boot_ns, .asked = true };
	size_t len = 0;
	uint64_t ticks;

	if (note->asked && note->start_boot_ns == o->start_boot_ns)
		return;
	if (procfs_read_cgroup((pid_t)o->pid, fresh.cgroup, sizeof(fresh.cgroup)) == 0 &&
	    procfs_read_cmdline((pid_t)o->pid, fresh.cmdline, sizeof(fresh.cmdline), &len) == 0 &&
	    procfs_read_start_ticks((pid_t)o->pid, &ticks) == 0 &&
	    ticks == o->start_boot_ns / tick_ns) {
		fresh.cmdline_len = (uint32_t)len;
		/* What fails here leaves its files without a path, no more. */
		mounts_learn(&maps->mounts, (pid_t)o->pid, &fresh.mount_namespace);
		*note = fresh;
		return;
	}
	/* Gone, or its PID is another process's by now: nothing more can be learnt. */
	*note = (struct owner_note){ .start_boot_ns = o->start_boot_ns, .asked = true };
}

/* The sum that `row` goes to once it is given back. */
static struct io_row *exited_row(struct bpf_maps *maps, const struct io_row *row)
{
	struct io_row *larger;

	for (size_t i = 0; i < maps->exited_count; i++) {
		const struct io_key *key = &maps->exited[i].key;

		if (key->device == row->key.device && key->op == row->key.op &&
		    key->cause == row->key.cause && key->lower == row->key.lower)
			return &maps->exited[i];
	}
	larger = reallocarray(maps->exited, maps->exited_count + 1, sizeof(*larger));
	if (!larger)
		return NULL;
	maps->exited = larger;
	larger += maps->exited_count++;
	memset(larger, 0, sizeof(*larger));
	larger->key = row->key;
	larger->key.owner = OWNER_EXITED;
	larger->live = 1;
	return larger;
}

/* Rows that something in flight points to. */
struct busy_rows {
	bool *busy;
	uint32_t count;
};

static int mark_row(const struct busy_rows *rows, uint32_t row)
{
	if (row < rows->count)
		rows->busy[row] = true;
	return 0;
}

static int mark_spilled(void *context, const void *key, const void *value)
{
	struct inflight spilled;

	(void)key;
	memcpy(&spilled, value, sizeof(spilled));
	return mark_row(context, spilled.row);
}

static int mark_bio(void *context, const void *key, const void *value)
{
	struct bio_entry bio;

	(void)key;
	memcpy(&bio, value, sizeof(bio));
	return mark_row(context, bio.row);
}

static int mark_upper(void *context, const void *key, const void *value)
{
	struct upper_bio upper;

	(void)key;
	memcpy(&upper, value, sizeof(upper));
	return mark_row(context, upper.row);
}

/* Mark the rows that requests in flight still point to. Bios first, which become requests, and again: what is merged becomes one. */
static int mark_busy(struct bpf_maps *maps, struct busy_rows *rows)
{
	const struct inflight *table = maps->inflight;
	uint32_t entries = bpf_map__max_entries(maps->skel->maps.inflight);
	int err;

	err = batch_read(&maps->batch, maps->skel->maps.bios, mark_bio, rows);
	if (!err)
		err = batch_read(&maps->batch, maps->skel->maps.upper_bios, mark_upper, rows);
	if (!err)
		err = batch_read(&maps->batch, maps->skel->maps.spilled, mark_spilled, rows);
	for (uint32_t i = 0; i < entries; i++)
		if (table[i].request)
			mark_row(rows, table[i].row);
	return err ? err : batch_read(&maps->batch, maps->skel->maps.bios, mark_bio, rows);
}

/*
 * Give back the rows that were retired at the last call and that no request points to. BPF cannot have
 * found them since: they are no longer in row_by_key, and their process's threads are gone.
 */
static int give_back_rows(struct bpf_maps *maps, struct fault *fault)
{
	int fd = bpf_map__fd(maps->skel->maps.free_rows);
	struct busy_rows rows = { .count = maps->max_rows };
	uint32_t end = rows_end(maps);
	int err;

	if (!maps->retired_count)
		return 0;
	rows.busy = calloc(maps->max_rows, sizeof(*rows.busy));
	if (!rows.busy)
		return fault_set(fault, -ENOMEM, "out of memory");
	err = mark_busy(maps, &rows);
	if (err)
		fault_set(fault, err, "cannot copy what is in flight: %s", strerror(-err));
	for (uint32_t i = RESERVED_ROWS; !err && i < end; i++) {
		struct io_row *row = &maps->rows[i], *sum;

		if (!maps->retired[i] || rows.busy[i])
			continue;
		sum = exited_row(maps, row);
		if (!sum) {
			err = fault_set(fault, -ENOMEM, "out of memory");
			break;
		}
		io_row_add(sum, row);
		memset(row, 0, sizeof(*row));
		maps->retired[i] = false;
		maps->retired_count--;
		if (bpf_map_update_elem(fd, NULL, &i, BPF_ANY))
			err = fault_set(fault, -errno, "cannot give back a row: %s",
					strerror(errno));
	}
	free(rows.busy);
	return err;
}

/*
 * A process that has passed sched_process_exit still closes its files, and may do I/O then. After this
 * time its threads are taken to be gone.
 */
static const uint64_t exit_age_ns = 1000000000;

struct exited_owner {
	uint64_t start_boot_ns, end_boot_ns;
	uint32_t index;
};

static int by_end(const void *a, const void *b)
{
	const struct exited_owner *x = a, *y = b;

	return compare_numbers(x->end_boot_ns, y->end_boot_ns);
}

/* Mark the owners of threads that have not made their last switch. */
static void mark_alive(struct bpf_maps *maps, bool *alive, uint32_t owners)
{
	uint32_t end = bpf_maps_used(&maps->tables[TABLE_THREADS], &maps->skel->bss->threads_used);

	for (uint32_t i = 0; i < end; i++) {
		const struct thread *thread = &maps->threads[i];

		if (__atomic_load_n(&thread->life, __ATOMIC_ACQUIRE) == THREAD_ALIVE &&
		    thread->owner < owners)
			alive[thread->owner] = true;
	}
}

static bool has_exited(const struct owner *o, uint64_t now)
{
	return o->kind == OWNER_PROCESS && o->end_boot_ns && o->end_boot_ns + exit_age_ns < now;
}

static bool any_exited(struct bpf_maps *maps)
{
	uint64_t now = time_now_ns(CLOCK_BOOTTIME);
	uint32_t end = bpf_maps_owners_used(maps), i = OWNER_FIRST;

	while (i < end && !has_exited(&maps->owners[i], now))
		i++;
	return i < end;
}

/* Exited processes, the earliest first. Returns how many, or -ENOMEM. */
static ssize_t list_exited(struct bpf_maps *maps, struct exited_owner **list)
{
	uint64_t now = time_now_ns(CLOCK_BOOTTIME);
	uint32_t end = bpf_maps_owners_used(maps);
	bool *alive = calloc(end, sizeof(*alive));
	ssize_t count = 0;

	*list = calloc(end, sizeof(**list));
	if (!*list || !alive) {
		free(*list);
		free(alive);
		return -ENOMEM;
	}
	mark_alive(maps, alive, end);
	for (uint32_t i = OWNER_FIRST; i < end; i++) {
		const struct owner *o = &maps->owners[i];

		if (has_exited(o, now) && !alive[i])
			(*list)[count++] =
				(struct exited_owner){ .end_boot_ns = o->end_boot_ns, .index = i };
	}
	free(alive);
	qsort(*list, (size_t)count, sizeof(**list), by_end);
	return count;
}

/* The rows of each owner, as a chain: of owners the first, of rows the next one. Row 0 is reserved, and ends it. */
struct owned_rows {
	uint32_t *first, *next;
};

static void owned_rows_free(struct owned_rows *rows)
{
	free(rows->first);
	free(rows->next);
	*rows = (struct owned_rows){ 0 };
}

static int owned_rows_list(struct owned_rows *rows, struct bpf_maps *maps)
{
	uint32_t end = rows_end(maps);

	*rows = (struct owned_rows){ .first = calloc(maps->max_owners, sizeof(*rows->first)),
				     .next = calloc(maps->max_rows, sizeof(*rows->next)) };
	if (!rows->first || !rows->next) {
		owned_rows_free(rows);
		return -ENOMEM;
	}
	for (uint32_t i = RESERVED_ROWS; i < end; i++) {
		uint32_t owner = maps->rows[i].key.owner;

		if (!row_live(maps, i) || owner >= maps->max_owners)
			continue;
		rows->next[i] = rows->first[owner];
		rows->first[owner] = i;
	}
	return 0;
}

/* Take the rows of an exited process out of BPF's reach; they are given back at the next call. Returns how many. */
static int retire_rows(struct bpf_maps *maps, const struct owned_rows *owned, uint32_t index,
		       struct fault *fault)
{
	int keys = bpf_map__fd(maps->skel->maps.row_by_key);
	int retired = 0;

	for (uint32_t i = owned->first[index]; i; i = owned->next[i]) {
		if (maps->retired[i])
			continue;
		if (bpf_map_delete_elem(keys, &maps->rows[i].key) && errno != ENOENT)
			return fault_set(fault, -errno, "cannot retire a row: %s", strerror(errno));
		maps->retired[i] = true;
		maps->retired_count++;
		retired++;
	}
	return retired;
}

static int give_back_owner(struct bpf_maps *maps, uint32_t index, struct fault *fault)
{
	struct owner *o = &maps->owners[index];

	for (int i = 0; i < LEDGER_STATES; i++) {
		maps->owners[OWNER_EXITED].ended_ns[i] += o->ended_ns[i];
		maps->owners[OWNER_EXITED].ended_waiting_ns[i] += o->ended_waiting_ns[i];
	}
	memset(o, 0, sizeof(*o));
	maps->exited_processes++;
	if (bpf_map_update_elem(bpf_map__fd(maps->skel->maps.free_owners), NULL, &index, BPF_ANY))
		return fault_set(fault, -errno, "cannot give back a process: %s", strerror(errno));
	return 0;
}

/*
 * Exited processes without rows give their places back. What one wrote may be written back at this moment, and get a row: from
 * when `start_boot_ns` is 0 BPF finds it no more, and then the rows are listed once again.
 */
static int give_back_owners(struct bpf_maps *maps, struct exited_owner *list, size_t count,
			    struct fault *fault)
{
	struct owned_rows owned = { 0 };
	int err;

	for (size_t i = 0; i < count; i++) {
		__u64 *start_boot_ns = &maps->owners[list[i].index].start_boot_ns;

		list[i].start_boot_ns = __atomic_exchange_n(start_boot_ns, 0, __ATOMIC_SEQ_CST);
	}
	err = count ? owned_rows_list(&owned, maps) : 0;
	if (err)
		fault_set(fault, err, "out of memory");
	for (size_t i = 0; i < count; i++) {
		uint32_t index = list[i].index;

		if (err || owned.first[index])
			maps->owners[index].start_boot_ns = list[i].start_boot_ns;
		else
			err = give_back_owner(maps, index, fault);
	}
	owned_rows_free(&owned);
	return err;
}

/* Rows in use, without those reserved for the fixed owners and those on their way out. */
static uint32_t count_rows(struct bpf_maps *maps)
{
	uint32_t end = rows_end(maps), used = 0;

	for (uint32_t i = RESERVED_ROWS; i < end; i++)
		used += row_live(maps, i) && !maps->retired[i];
	return used;
}

static uint32_t count_owners(struct bpf_maps *maps)
{
	uint32_t end = bpf_maps_owners_used(maps), used = 0;

	for (uint32_t i = OWNER_FIRST; i < end; i++)
		used += maps->owners[i].kind != OWNER_FREE;
	return used;
}

/* Make room while one of the tables is three quarters full. */
static int make_room(struct bpf_maps *maps, struct fault *fault)
{
	uint32_t max_owners = maps->max_owners / 4 * 3, rows, owners;
	struct exited_owner *list;
	struct owned_rows owned;
	size_t leaving = 0;
	ssize_t count;
	int err;

	/* So many were ever handed out: those in use need not be counted. */
	if (rows_end(maps) <= maps->max_keys_used && bpf_maps_owners_used(maps) <= max_owners)
		return 0;
	if (count_rows(maps) <= maps->max_keys_used && count_owners(maps) <= max_owners)
		return 0;
	err = give_back_rows(maps, fault);
	if (err)
		return err;
	if (!any_exited(maps))
		return 0;
	rows = count_rows(maps);
	owners = count_owners(maps);
	err = owned_rows_list(&owned, maps);
	if (err)
		return fault_set(fault, err, "out of memory");
	count = list_exited(maps, &list);
	if (count < 0) {
		owned_rows_free(&owned);
		return fault_set(fault, -ENOMEM, "out of memory");
	}
	for (ssize_t i = 0; i < count && (rows > maps->max_keys_used || owners > max_owners);
	     i++, owners--) {
		if (!owned.first[list[i].index]) {
			list[leaving++] = list[i];
			continue;
		}
		err = retire_rows(maps, &owned, list[i].index, fault);
		if (err < 0)
			break;
		rows -= at_most((uint32_t)err, rows);
	}
	owned_rows_free(&owned);
	if (err >= 0)
		err = give_back_owners(maps, list, leaving, fault);
	free(list);
	return err < 0 ? err : 0;
}

int bpf_maps_tidy(struct bpf_maps *maps, struct fault *fault)
{
	uint32_t end = bpf_maps_owners_used(maps);

	mounts_learn(&maps->mounts, 0, &maps->own_mount_namespace);
	for (uint32_t i = OWNER_FIRST; i < end; i++)
		if (is_process(&maps->owners[i]) && !maps->owners[i].end_boot_ns)
			note_process(maps, i);
	return make_room(maps, fault);
}
