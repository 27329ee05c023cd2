// SPDX-License-Identifier: BSD-2-Clause
#include "collect/bpf_source.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "collect/bpf_files.h"
#include "collect/bpf_maps.h"
#include "collect/bpf_parts.h"
#include "collect/bpf_targets.h"
#include "collect/core_btf.h"
#include "collect/disk_names.h"
#include "collect/diskstats.h"
#include "collect/features.h"
#include "collect/gpu.h"
#include "collect/markers.h"
#include "collect/procfs.h"
#include "collect/skipped.h"
#include "collect/upper.h"
#include "whystall.skel.h"

/* include/linux/proc_ns.h: inode number of the initial PID namespace */
static const unsigned int initial_pidns_inum = 0xeffffffc;

/* The tracepoints of the program block_merge. */
static const char *const merges[] = { "block_bio_backmerge", "block_bio_frontmerge" };
enum { MERGES = sizeof(merges) / sizeof(merges[0]) };

struct bpf_source {
	struct bpf_parts parts;
	struct whystall_bpf *skel; /* of the parts */
	struct bpf_maps maps;
	const struct device_choices *devices;
	bool follows_upper; /* devices without requests of their own, once there is one */
	struct upper_watch upper;
	__u32 membership_epoch; /* when threads were last looked for */
	uint64_t skipped;       /* see adopt_skipped() */
	struct bpf_link
		*merge_links[MERGES][2]; /* of each tracepoint: the first and the second program */
	struct ring_buffer *joined;
	struct markers *markers; /* NULL: not watched */
};

/* The errno of libbpf for something that `privileged` processes may do, as a fault. */
static int load_fault(struct fault *fault, int err, const char *what)
{
	/* The verifier says EACCES too: for root, it is that. */
	if (err == -EPERM || (err == -EACCES && geteuid() != 0))
		return fault_set_exit(
			fault, EXIT_NOT_SUPPORTED, err,
			"not permitted to %s: run it as root (sudo), or with CAP_BPF, CAP_PERFMON "
			"and CAP_SYS_ADMIN",
			what);
	return fault_set_exit(
		fault, EXIT_NOT_SUPPORTED, err,
		"cannot %s on this kernel: %s; \"whystall doctor\" tells what is missing, "
		"-v shows the kernel's words",
		what, strerror(-err));
}

/* Whystall's PID namespace, 0 for the initial one. */
static int find_pidns(unsigned int *inum, struct fault *fault)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) != 0)
		return fault_set(fault, -errno,
				 "cannot read /proc/self/ns/pid: %s; is /proc mounted?",
				 strerror(errno));
	*inum = (unsigned int)st.st_ino == initial_pidns_inum ? 0 : (unsigned int)st.st_ino;
	if (procfs_is_own_namespace() != 1)
		return procfs_refuse_namespace(fault);
	return 0;
}

/* The size of a table: NAME=SIZE in the environment variable WHYSTALL_TABLES, or its own. */
static __u32 table_size(const struct bpf_map *map)
{
	const char *list = getenv("WHYSTALL_TABLES"), *name = bpf_map__name(map);
	size_t len = strlen(name);

	for (; list && *list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL) {
		unsigned long size = 0;

		if (strncmp(list, name, len) == 0 && list[len] == '=')
			size = strtoul(list + len + 1, NULL, 10);
		if (size && size <= bpf_map__max_entries(map))
			return (__u32)size;
	}
	return bpf_map__max_entries(map);
}

static void size_table(struct bpf_map *map, size_t size, int *err)
{
	if (!*err)
		*err = bpf_map__set_max_entries(map, size ? (__u32)size : 1);
}

/* Tables that this run has no use for, or none for so much; later, bios are followed only where they are merged. */
static void size_to_need(struct whystall_bpf *skel, const struct bpf_source_options *options,
			 int *err)
{
	bool edges = bpf_program__autoload(skel->progs.ledger_waking);
	bool bios = bpf_program__autoload(skel->progs.block_start_bio);

	size_table(skel->maps.target_pids, options->target->pid_count, err);
	size_table(skel->maps.device_ranges, options->devices->count, err);
	if (!skel->rodata->config_ledger) {
		size_table(skel->maps.threads, 1, err);
		size_table(skel->maps.free_threads, 1, err);
	}
	if (!edges)
		size_table(skel->maps.edges, 1, err);
	if (!bios)
		size_table(skel->maps.bios, bpf_map__max_entries(skel->maps.bios) / 4, err);
}

/* WHYSTALL_TABLES makes tables smaller, for tests of what happens when they are full. */
static int size_tables(struct whystall_bpf *skel, const struct bpf_source_options *options,
		       struct fault *fault)
{
	__u32 max_rows = options->max_keys + RESERVED_ROWS;
	struct bpf_map *map;
	int err = 0;

	size_to_need(skel, options, &err);
	bpf_object__for_each_map(map, skel->obj) {
		__u32 size = table_size(map);

		if (size != bpf_map__max_entries(map))
			size_table(map, size, &err);
	}
	size_table(skel->maps.rows, max_rows, &err);
	size_table(skel->maps.free_rows, max_rows, &err);
	size_table(skel->maps.row_by_key, max_rows, &err);
	if (err)
		return fault_set(fault, err, "cannot size the tables: %s", strerror(-err));
	skel->rodata->config_max_rows = max_rows;
	skel->rodata->config_max_owners = bpf_map__max_entries(skel->maps.owners);
	skel->rodata->config_max_threads = bpf_map__max_entries(skel->maps.threads);
	skel->rodata->config_max_files = bpf_map__max_entries(skel->maps.files);
	skel->rodata->config_inflight_mask = bpf_map__max_entries(skel->maps.inflight) - 1;
	return 0;
}

/* The further programs (NAME_again, NAME_third) of those that are loaded, see bpf/twice.bpf.h. */
static void load_further(struct whystall_bpf *skel, const char *suffix)
{
	struct bpf_program *program;
	char name[64];

	bpf_object__for_each_program(program, skel->obj) {
		struct bpf_program *further;

		snprintf(name, sizeof(name), "%s%s", bpf_program__name(program), suffix);
		further = bpf_object__find_program_by_name(skel->obj, name);
		if (further)
			bpf_program__set_autoload(further, bpf_program__autoload(program));
	}
}

/* Threads have ledgers when a job is watched; of a whole host they would be too many. */
static void configure_ledger(struct whystall_bpf *skel, const struct bpf_source_options *options,
			     const struct features *features)
{
	bool ledger = !options->target->all && features->tracepoint[TP_SCHED_SWITCH] &&
		      features->tracepoint[TP_SCHED_WAKEUP];
	bool faults = ledger && features->tracepoint[TP_MM_FILEMAP_FAULT];

	skel->rodata->config_ledger = ledger;
	skel->rodata->config_keep_threads = options->for_judge;
	skel->rodata->config_thread_names = options->thread_names;
	skel->rodata->config_has_filemap_fault = faults;
	bpf_program__set_autoload(skel->progs.ledger_switch, ledger);
	bpf_program__set_autoload(skel->progs.ledger_wakeup, ledger);
	bpf_program__set_autoload(skel->progs.page_faulted, faults);
	bpf_program__set_autoload(skel->progs.ledger_waking,
				  ledger && options->for_judge &&
					  features->tracepoint[TP_SCHED_WAKING]);
	bpf_program__set_autoload(skel->progs.marker_call, ledger && options->for_judge);
	bpf_program__set_autoload(skel->progs.marker_return, ledger && options->for_judge);
	skel->rodata->config_has_preempt_count = features->has_preempt_count;
	skel->rodata->config_preempt_count_at = features->preempt_count_at;
	skel->rodata->config_counts_disabled = features->counts_disabled;
	/* Without the list none is known, and waits for one are "other". */
	(void)gpu_majors_read("/proc/devices", (__u8 *)skel->rodata->config_gpu_majors);
}

static int configure(struct whystall_bpf *skel, const struct bpf_source_options *options,
		     const struct features *features, struct fault *fault)
{
	const struct target *target = options->target;
	bool io_start = features->tracepoint[TP_BLOCK_IO_START];
	unsigned int pidns = 0;
	int err = find_pidns(&pidns, fault);

	if (err)
		return err;
	skel->rodata->config_all = target->all;
	skel->rodata->config_devices = options->devices->count != 0;
	skel->rodata->config_glob = target->has_glob;
	if (target->has_glob)
		memcpy((void *)&skel->rodata->config_glob_table, &target->glob,
		       sizeof(target->glob));
	skel->rodata->config_cgroup = target->has_cgroup;
	skel->rodata->config_cgroup_id = target->cgroup_id;
	skel->rodata->config_cgroup_hierarchy = target->cgroup_hierarchy;
	skel->rodata->config_pidns_inum = pidns;
	skel->rodata->config_has_io_start = io_start;
	skel->bss->attaching = true;
	bpf_program__set_autoload(skel->progs.block_issue, features->tracepoint[TP_BLOCK_RQ_ISSUE]);
	bpf_program__set_autoload(skel->progs.block_start, io_start);
	bpf_program__set_autoload(skel->progs.block_start_bio, !io_start);
	bpf_program__set_autoload(skel->progs.job_cgroup_attach,
				  target->has_cgroup &&
					  features->tracepoint[TP_CGROUP_ATTACH_TASK]);
	bpf_program__set_autoload(skel->progs.page_added, features->tracepoint[TP_MM_FILEMAP_ADD]);
	bpf_program__set_autoload(skel->progs.page_dirtied,
				  features->tracepoint[TP_WRITEBACK_DIRTY_FOLIO]);
	bpf_program__set_autoload(skel->progs.upper_start,
				  features->tracepoint[TP_BLOCK_BIO_QUEUE] &&
					  features->tracepoint[TP_BLOCK_BIO_COMPLETE]);
	bpf_program__set_autoload(skel->progs.upper_complete,
				  bpf_program__autoload(skel->progs.upper_start));
	bpf_program__set_autoload(skel->progs.job_adopt, !target->all);
	configure_ledger(skel, options, features);
	skel->rodata->config_preemptible = features->preemptible;
	if (features->preemptible) {
		load_further(skel, "_again");
		load_further(skel, "_third");
	}
	return size_tables(skel, options, fault);
}

static int fill_selection(struct bpf_source *source, const struct bpf_source_options *options,
			  struct fault *fault)
{
	int fd = bpf_map__fd(source->skel->maps.target_pids);
	__u32 one = 1;

	for (size_t i = 0; i < options->target->pid_count; i++) {
		__u32 pid = (__u32)options->target->pids[i];

		if (bpf_map_update_elem(fd, &pid, &one, BPF_ANY))
			return fault_set(fault, -errno, "cannot select PID %u: %s", pid,
					 strerror(errno));
	}
	fd = bpf_map__fd(source->skel->maps.device_ranges);
	for (size_t i = 0; i < options->devices->count; i++) {
		const struct device_choice *choice = &options->devices->list[i];
		struct device_ranges ranges = { 0 };
		size_t slot = 0;

		if (bpf_map_lookup_elem(fd, &choice->disk, &ranges) == 0)
			while (slot < MAX_RANGES && ranges.list[slot].end)
				slot++;
		if (slot == MAX_RANGES)
			return fault_set(fault, -E2BIG,
					 "-D takes at most %d partitions of one disk", MAX_RANGES);
		ranges.list[slot] = choice->range;
		if (bpf_map_update_elem(fd, &choice->disk, &ranges, BPF_ANY))
			return fault_set(fault, -errno, "cannot select a device: %s",
					 strerror(errno));
	}
	return 0;
}

static int attach(struct bpf_program *program, struct bpf_link **link, struct fault *fault)
{
	char what[96];

	if (!bpf_program__autoload(program))
		return 0;
	*link = bpf_targets_attach(program);
	if (*link)
		return 0;
	snprintf(what, sizeof(what), "attach the program %s", bpf_program__name(program));
	return load_fault(fault, -errno, what);
}

/* A program of bpf/twice.bpf.h, and those that must come after it. */
struct group {
	struct bpf_program *programs[3];
	struct bpf_link **links[3];
};

#define PAIR(skel, name)                                                       \
	{                                                                      \
		{ (skel)->progs.name, (skel)->progs.name##_again, NULL },      \
		{                                                              \
			&(skel)->links.name, &(skel)->links.name##_again, NULL \
		}                                                              \
	}

#define TRIPLE(skel, name)                                                                      \
	{                                                                                       \
		{ (skel)->progs.name, (skel)->progs.name##_again, (skel)->progs.name##_third }, \
		{                                                                               \
			&(skel)->links.name, &(skel)->links.name##_again,                       \
				&(skel)->links.name##_third                                     \
		}                                                                               \
	}

/* The kernel calls the programs on one tracepoint in the order of their attaching. */
static int attach_groups(const struct group *groups, size_t count, struct fault *fault)
{
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		for (int n = 0; !err && n < 3 && groups[i].programs[n]; n++)
			err = attach(groups[i].programs[n], groups[i].links[n], fault);
	return err;
}

static int attach_merge(struct bpf_program *program, const char *tracepoint, struct bpf_link **link,
			struct fault *fault)
{
	char what[96];

	if (!bpf_program__autoload(program))
		return 0;
	*link = bpf_program__attach_raw_tracepoint(program, tracepoint);
	if (*link)
		return 0;
	snprintf(what, sizeof(what), "attach to the tracepoint %s", tracepoint);
	return load_fault(fault, -errno, what);
}

static int attach_merges(struct bpf_source *source, struct fault *fault)
{
	int err = 0;

	for (size_t i = 0; !err && i < MERGES; i++) {
		err = attach_merge(source->skel->progs.block_merge, merges[i],
				   &source->merge_links[i][0], fault);
		if (!err)
			err = attach_merge(source->skel->progs.block_merge_again, merges[i],
					   &source->merge_links[i][1], fault);
	}
	return err;
}

/* One round of the iterator over all threads. */
static int iterate(const struct bpf_source *source)
{
	int fd = bpf_iter_create(bpf_link__fd(source->skel->links.job_adopt));
	char nothing[64];
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	do
		n = read(fd, nothing, sizeof(nothing));
	while (n > 0 || (n < 0 && errno == EAGAIN));
	err = n < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int adopt_round(struct bpf_source *source, struct fault *fault)
{
	int err = iterate(source);

	return err ? load_fault(fault, err, "list processes by BPF iterator") : 0;
}

/* Until a round finds no further member of the job. */
static int adopt_rounds(struct bpf_source *source, struct fault *fault)
{
	const struct whystall_bpf *skel = source->skel;
	__u64 before;
	int err;

	do {
		before = skel->bss->adopted;
		err = adopt_round(source, fault);
	} while (!err && skel->bss->adopted != before);
	return err;
}

static int adopt(struct bpf_source *source, struct fault *fault)
{
	struct whystall_bpf *skel = source->skel;
	int err;

	if (!bpf_program__autoload(skel->progs.job_adopt))
		return 0;
	err = attach(skel->progs.job_adopt, &skel->links.job_adopt, fault);
	return err ? err : adopt_rounds(source, fault);
}

/*
 * A process that joined the job while the kernel ran none of the programs (bpf/twice.bpf.h) is not known, nor are its
 * children.
 */
static int adopt_skipped(struct bpf_source *source, struct fault *fault)
{
	const struct whystall_bpf *skel = source->skel;
	uint64_t skipped;

	if (!skel->rodata->config_preemptible || !skel->links.job_adopt)
		return 0;
	skipped = skipped_runs(skel->progs.job_fork_third) +
		  skipped_runs(skel->progs.job_exec_again) +
		  skipped_runs(skel->progs.job_cgroup_attach_again);
	if (skipped == source->skipped)
		return 0;
	source->skipped = skipped;
	return adopt_rounds(source, fault);
}

/* Processes have joined the job by their control group: find the threads that they have. */
static int adopt_joined(struct bpf_source *source, struct fault *fault)
{
	__u32 epoch = __atomic_load_n(&source->skel->bss->membership_epoch, __ATOMIC_ACQUIRE);

	if (epoch == source->membership_epoch || !source->skel->links.job_adopt)
		return 0;
	source->membership_epoch = epoch;
	return adopt_round(source, fault);
}

static int ignore_event(void *context, void *data, size_t size)
{
	(void)context;
	(void)data;
	(void)size;
	return 0;
}

/* To be woken when a process joins, under -c. */
static int watch_joined(struct bpf_source *source, struct fault *fault)
{
	if (!source->skel->rodata->config_cgroup)
		return 0;
	source->joined =
		ring_buffer__new(bpf_map__fd(source->skel->maps.joined), ignore_event, NULL, NULL);
	return source->joined ? 0 : load_fault(fault, -errno, "open a ring buffer");
}

int bpf_source_joined_fd(const struct bpf_source *source)
{
	return source->joined ? ring_buffer__epoll_fd(source->joined) : -1;
}

int bpf_source_find_joined(struct bpf_source *source, struct fault *fault)
{
	int err = ring_buffer__consume(source->joined);

	if (err < 0)
		return fault_set(fault, err, "cannot read a ring buffer: %s", strerror(-err));
	return adopt_joined(source, fault);
}

static bool needs_upper(struct bpf_source *source)
{
	return source->follows_upper && upper_look(&source->upper, source->devices);
}

static int attach_loaded_upper(struct whystall_bpf *skel, struct fault *fault)
{
	const struct group upper[] = { PAIR(skel, upper_complete), PAIR(skel, upper_start) };

	return attach_groups(upper, sizeof(upper) / sizeof(upper[0]), fault);
}

/*
 * The programs for devices without requests of their own are passed by every bio of the host: they are
 * loaded and attached once there is such a device, among those of -D if that is given.
 */
static int attach_upper(struct bpf_source *source, struct fault *fault)
{
	struct whystall_bpf *skel = source->skel;
	int err;

	if (skel->bss->upper_attached || !needs_upper(source))
		return 0;
	if (!bpf_program__autoload(skel->progs.upper_start)) {
		err = bpf_parts_load(&source->parts, PART_UPPER, PART_UPPER);
		if (err)
			return load_fault(fault, err, "load BPF programs");
	}
	err = attach_loaded_upper(skel, fault);
	if (!err)
		skel->bss->upper_attached = true;
	return err;
}

/* The switch last: a thread that is seen to fall asleep must be seen to wake. */
static int attach_ledger(struct whystall_bpf *skel, struct fault *fault)
{
	const struct group faults[] = { PAIR(skel, page_faulted) };
	int err = attach_groups(faults, 1, fault);

	if (!err)
		err = attach(skel->progs.ledger_waking, &skel->links.ledger_waking, fault);
	if (!err)
		err = attach(skel->progs.ledger_wakeup, &skel->links.ledger_wakeup, fault);
	return err ? err : attach(skel->progs.ledger_switch, &skel->links.ledger_switch, fault);
}

/*
 * First what threads do, then how processes end and begin, in this order, since one that is seen to begin must
 * be seen to end; then the iterator, so that no child is missed in between; block events last, when all
 * members are known.
 */
static int attach_all(struct bpf_source *source, struct fault *fault)
{
	struct whystall_bpf *skel = source->skel;
	const struct group job[] = {
		TRIPLE(skel, job_exit),
		PAIR(skel, job_exec),
		TRIPLE(skel, job_fork),
		PAIR(skel, job_cgroup_attach),
	};
	const struct group block[] = {
		PAIR(skel, page_added),       PAIR(skel, page_dirtied),
		TRIPLE(skel, block_complete), TRIPLE(skel, block_issue),
		PAIR(skel, block_requeue),    PAIR(skel, block_request_merge),
	};
	const struct group starts[] = { TRIPLE(skel, block_start), PAIR(skel, block_start_bio) };
	int err;

	err = attach_ledger(skel, fault);
	if (!err)
		err = attach_groups(job, sizeof(job) / sizeof(job[0]), fault);
	if (!err)
		err = adopt(source, fault);
	skel->bss->attaching = false;
	if (!err)
		err = attach_groups(block, sizeof(block) / sizeof(block[0]), fault);
	if (!err)
		err = attach_merges(source, fault);
	if (!err)
		err = attach_groups(starts, sizeof(starts) / sizeof(starts[0]), fault);
	return err ? err : attach_upper(source, fault);
}

static int check_features(const struct features *features, struct fault *fault)
{
	for (int i = 0; i < TP_COUNT; i++)
		if (feature_tracepoints[i].needed && !features->tracepoint[i])
			return fault_set_exit(
				fault, EXIT_NOT_SUPPORTED, -EOPNOTSUPP,
				"this kernel lacks the tracepoint %s; see \"whystall doctor\"",
				feature_tracepoints[i].name);
	if (!features->tracepoint[TP_BLOCK_IO_START] &&
	    !(features->tracepoint[TP_BLOCK_GETRQ] && features->tracepoint[TP_BLOCK_RQ_ISSUE]))
		return fault_set_exit(fault, EXIT_NOT_SUPPORTED, -EOPNOTSUPP,
				      "this kernel has neither the tracepoint block_io_start nor "
				      "block_getrq; see \"whystall doctor\"");
	return 0;
}

static int load_parts(struct bpf_source *source, struct btf *kernel, struct fault *fault)
{
	struct bpf_parts *parts = &source->parts;
	int err = 0;

	if (parts->types >= 0)
		err = core_btf_write(parts->types, bpf_object__btf(parts->skel->obj), kernel);
	if (err)
		return fault_set(fault, err, "cannot copy the kernel's types: %s", strerror(-err));
	err = bpf_parts_load_tables(parts, kernel);
	if (!err)
		err = bpf_parts_load(parts, PART_ONE, needs_upper(source) ? PART_UPPER : PART_TWO);
	return err ? load_fault(fault, err, "load BPF programs") : 0;
}

static int configure_and_load(struct bpf_source *source, const struct bpf_source_options *options,
			      struct btf *kernel, struct fault *fault)
{
	struct features features;
	int err;

	features_read(&features, kernel);
	err = check_features(&features, fault);
	if (err)
		return err;
	/* Programs find the kernel's types in a file, which is written before any is loaded. */
	source->parts.types = memfd_create("types", MFD_CLOEXEC);
	err = bpf_parts_open(&source->parts);
	if (err)
		return load_fault(fault, err, "open the BPF object");
	source->skel = source->parts.skel;
	err = configure(source->skel, options, &features, fault);
	if (err)
		return err;
	source->follows_upper = bpf_program__autoload(source->skel->progs.upper_start);
	return load_parts(source, kernel, fault);
}

static int load(struct bpf_source *source, const struct bpf_source_options *options,
		struct fault *fault)
{
	struct btf *kernel = features_load_btf(fault);
	int err;

	if (!kernel)
		return -ENOENT;
	err = configure_and_load(source, options, kernel, fault);
	btf__free(kernel);
	return err;
}

static int start(struct bpf_source *source, const struct bpf_source_options *options,
		 struct fault *fault)
{
	int err = load(source, options, fault);

	if (!err)
		err = bpf_maps_open(&source->maps, source->skel, fault);
	if (!err && bpf_source_has_markers(source)) {
		source->markers = markers_new(source->skel, source->maps.max_owners);
		source->maps.markers = source->markers;
		err = source->markers ? 0 : fault_set(fault, -ENOMEM, "out of memory");
	}
	if (!err)
		err = watch_joined(source, fault);
	if (!err)
		err = fill_selection(source, options, fault);
	return err ? err : attach_all(source, fault);
}

int bpf_source_open(struct bpf_source **result, const struct bpf_source_options *options,
		    struct fault *fault)
{
	struct bpf_source *source = calloc(1, sizeof(*source));
	int err;

	if (!source)
		return fault_set(fault, -ENOMEM, "out of memory");
	source->devices = options->devices;
	source->parts.types = -1;
	err = start(source, options, fault);
	if (err) {
		bpf_source_close(source);
		return err;
	}
	*result = source;
	return 0;
}

/* Masked, the file is empty: the disks have names all the same, and no statistics. */
static int read_disks(struct sample *sample, struct fault *fault)
{
	size_t before = sample->disk_count;
	int err = diskstats_read("/proc/diskstats", sample, fault);

	if (err || sample->disk_count > before)
		return err;
	err = disk_names_read(sample);
	return err ? fault_set(fault, err, "cannot list disks: %s", strerror(-err)) : 0;
}

int bpf_source_read(struct bpf_source *source, struct sample *sample, struct fault *fault)
{
	int err;

	err = bpf_maps_catch_up(&source->maps, fault);
	if (err)
		return err;
	sample_clear(sample);
	sample_set_time(sample);
	err = bpf_maps_read(&source->maps, sample);
	if (err)
		return fault_set(fault, err, "cannot copy the counters: %s", strerror(-err));
	return read_disks(sample, fault);
}

int bpf_source_read_threads(struct bpf_source *source, struct sample *sample, struct fault *fault)
{
	int err;

	sample_clear(sample);
	sample_set_time(sample);
	err = bpf_maps_read_threads(&source->maps, sample);
	return err ? fault_set(fault, err, "cannot copy the counters: %s", strerror(-err)) : 0;
}

int bpf_source_read_files(struct bpf_source *source, struct sample *sample, bool with_paths,
			  struct fault *fault)
{
	int err = bpf_files_read(&source->maps, sample);

	if (!err && with_paths)
		err = bpf_files_name(&source->maps, sample);
	return err ? fault_set(fault, err, "cannot list files: %s", strerror(-err)) : 0;
}

void bpf_source_settle(const struct bpf_source *source)
{
	const struct timespec pause = { .tv_nsec = 12000000 }; /* above suspect_age_ns */

	if (bpf_maps_has_fresh(&source->maps))
		nanosleep(&pause, NULL);
}

int bpf_source_tidy(struct bpf_source *source, struct fault *fault)
{
	int err = attach_upper(source, fault);

	if (!err)
		err = adopt_joined(source, fault);
	if (!err)
		err = adopt_skipped(source, fault);
	if (!err)
		err = bpf_maps_tidy(&source->maps, fault);
	if (!err && source->markers && markers_look(source->markers, &source->maps) != 0)
		err = fault_set(fault, -ENOMEM, "out of memory");
	return err;
}

bool bpf_source_has_markers(const struct bpf_source *source)
{
	return bpf_program__autoload(source->skel->progs.marker_call);
}

int bpf_source_try_markers(struct bpf_source *source, struct fault *fault)
{
	if (!source->markers)
		return fault_set(fault, -EOPNOTSUPP, "there is no ledger");
	return markers_try(source->markers, &source->maps, fault);
}

void bpf_source_assign(struct bpf_source *source, uint32_t owner, uint64_t start_boot_ns,
		       uint32_t trainer, pid_t clock_tid)
{
	struct owner *o = &source->maps.owners[owner];

	if (owner >= bpf_maps_owners_used(&source->maps) || trainer >= source->maps.max_owners ||
	    o->start_boot_ns != start_boot_ns)
		return;
	__atomic_store_n(&o->assigned, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&o->trainer, trainer, __ATOMIC_RELAXED);
	__atomic_store_n(&o->clock_tid, (uint32_t)clock_tid, __ATOMIC_RELAXED);
}

/* A thread that is made while the first round passes is found by the second one. */
enum { SERVER_ROUNDS = 2 };

int bpf_source_serve(struct bpf_source *source, pid_t pid, uint32_t trainer)
{
	struct whystall_bpf *skel = source->skel;
	struct server server = { .trainer = trainer };
	__u32 key = (__u32)pid;
	int err = 0;

	if (!skel->links.job_adopt || !skel->rodata->config_ledger)
		return -EOPNOTSUPP;
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.servers), &key, &server, BPF_NOEXIST))
		return errno == E2BIG ? -ENOSPC : -errno;
	skel->bss->serving = true;
	for (int i = 0; !err && i < SERVER_ROUNDS; i++)
		err = iterate(source);
	skel->bss->serving = false;
	return err;
}

bool bpf_source_job_found(const struct bpf_source *source)
{
	return __atomic_load_n(&source->skel->data->owners_used, __ATOMIC_RELAXED) > OWNER_FIRST;
}

bool bpf_source_job_alive(const struct bpf_source *source)
{
	return __atomic_load_n(&source->skel->bss->job_alive, __ATOMIC_RELAXED) > 0;
}

uint64_t bpf_source_spilled(const struct bpf_source *source)
{
	return __atomic_load_n(&source->skel->bss->spilled_total, __ATOMIC_RELAXED);
}

void bpf_source_close(struct bpf_source *source)
{
	if (!source)
		return;
	bpf_maps_close(&source->maps);
	ring_buffer__free(source->joined);
	markers_free(source->markers);
	for (size_t i = 0; i < MERGES; i++) {
		bpf_link__destroy(source->merge_links[i][0]);
		bpf_link__destroy(source->merge_links[i][1]);
	}
	bpf_parts_close(&source->parts);
	free(source);
}
