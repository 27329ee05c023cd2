// SPDX-License-Identifier: BSD-2-Clause
#include "collect/bpf_source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "collect/bpf_maps.h"
#include "collect/diskstats.h"
#include "collect/features.h"
#include "collect/procfs.h"
#include "whystall.skel.h"

/* include/linux/proc_ns.h: inode number of the initial PID namespace */
static const unsigned int initial_pidns_inum = 0xeffffffc;

struct bpf_source {
	struct whystall_bpf *skel;
	struct bpf_maps maps;
};

/* The errno of libbpf for something that `privileged` processes may do, as a fault. */
static int load_fault(struct fault *fault, int err, const char *what)
{
	if (err == -EPERM || err == -EACCES)
		return fault_set_exit(
			fault, EXIT_NOT_SUPPORTED, err,
			"not permitted to %s: run it as root (sudo), or with CAP_BPF and "
			"CAP_PERFMON",
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
		return fault_set_exit(
			fault, EXIT_NOT_SUPPORTED, -EXDEV,
			"/proc shows another PID namespace than the one whystall runs in, "
			"so PIDs would mean different processes: mount a new /proc "
			"(unshare --mount-proc), or run whystall on the host");
	return 0;
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
	skel->rodata->config_max_rows = options->max_keys + RESERVED_ROWS;
	skel->rodata->config_max_owners = bpf_map__max_entries(skel->maps.owners);
	skel->bss->attaching = true;

	err = bpf_map__set_max_entries(skel->maps.rows, options->max_keys + RESERVED_ROWS);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.free_rows,
					       options->max_keys + RESERVED_ROWS);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.row_by_key,
					       options->max_keys + RESERVED_ROWS);
	if (err)
		return fault_set(fault, err, "cannot size the tables: %s", strerror(-err));

	bpf_program__set_autoload(skel->progs.block_start, io_start);
	bpf_program__set_autoload(skel->progs.block_start_bio, !io_start);
	bpf_program__set_autoload(skel->progs.job_cgroup_attach,
				  target->has_cgroup &&
					  features->tracepoint[TP_CGROUP_ATTACH_TASK]);
	bpf_program__set_autoload(skel->progs.page_added, features->tracepoint[TP_MM_FILEMAP_ADD]);
	bpf_program__set_autoload(skel->progs.job_adopt, !target->all);
	return 0;
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
	*link = bpf_program__attach(program);
	if (*link)
		return 0;
	snprintf(what, sizeof(what), "attach the program %s", bpf_program__name(program));
	return load_fault(fault, -errno, what);
}

/* Run the iterator over all threads until a round finds no further member of the job. */
static int adopt(struct bpf_source *source, struct fault *fault)
{
	struct whystall_bpf *skel = source->skel;
	char nothing[64];
	__u64 before;
	int fd, err;
	ssize_t n;

	if (!bpf_program__autoload(skel->progs.job_adopt))
		return 0;
	err = attach(skel->progs.job_adopt, &skel->links.job_adopt, fault);
	if (err)
		return err;
	do {
		before = skel->bss->adopted;
		fd = bpf_iter_create(bpf_link__fd(skel->links.job_adopt));
		if (fd < 0)
			return load_fault(fault, -errno, "list processes by BPF iterator");
		do
			n = read(fd, nothing, sizeof(nothing));
		while (n > 0 || (n < 0 && errno == EAGAIN));
		err = n < 0 ? -errno : 0;
		close(fd);
		if (err)
			return load_fault(fault, err, "list processes by BPF iterator");
	} while (skel->bss->adopted != before);
	return 0;
}

/*
 * First what follows forks, then the iterator, so that no child is missed in between; block events
 * last, when all members are known.
 */
static int attach_all(struct bpf_source *source, struct fault *fault)
{
	struct whystall_bpf *skel = source->skel;
	const struct {
		struct bpf_program *program;
		struct bpf_link **link;
	} job[] = {
		{ skel->progs.job_fork, &skel->links.job_fork },
		{ skel->progs.job_exec, &skel->links.job_exec },
		{ skel->progs.job_exit, &skel->links.job_exit },
		{ skel->progs.job_cgroup_attach, &skel->links.job_cgroup_attach },
	}, block[] = {
		{ skel->progs.page_added, &skel->links.page_added },
		{ skel->progs.block_complete, &skel->links.block_complete },
		{ skel->progs.block_issue, &skel->links.block_issue },
		{ skel->progs.block_requeue, &skel->links.block_requeue },
		{ skel->progs.block_request_merge, &skel->links.block_request_merge },
		{ skel->progs.block_backmerge, &skel->links.block_backmerge },
		{ skel->progs.block_frontmerge, &skel->links.block_frontmerge },
		{ skel->progs.block_start, &skel->links.block_start },
		{ skel->progs.block_start_bio, &skel->links.block_start_bio },
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(job) / sizeof(job[0]); i++)
		err = attach(job[i].program, job[i].link, fault);
	if (!err)
		err = adopt(source, fault);
	skel->bss->attaching = false;
	for (size_t i = 0; !err && i < sizeof(block) / sizeof(block[0]); i++)
		err = attach(block[i].program, block[i].link, fault);
	return err;
}

static int check_features(const struct features *features, struct fault *fault)
{
	for (int i = 0; i < TP_COUNT; i++)
		if (feature_tracepoints[i].needed && !features->tracepoint[i])
			return fault_set_exit(
				fault, EXIT_NOT_SUPPORTED, -EOPNOTSUPP,
				"this kernel lacks the tracepoint %s; see \"whystall doctor\"",
				feature_tracepoints[i].name);
	if (!features->tracepoint[TP_BLOCK_IO_START] && !features->tracepoint[TP_BLOCK_GETRQ])
		return fault_set_exit(fault, EXIT_NOT_SUPPORTED, -EOPNOTSUPP,
				      "this kernel has neither the tracepoint block_io_start nor "
				      "block_getrq; see \"whystall doctor\"");
	return 0;
}

int bpf_source_open(struct bpf_source **result, const struct bpf_source_options *options,
		    struct fault *fault)
{
	struct bpf_source *source;
	struct features features;
	int err;

	err = features_probe(&features, fault);
	if (!err)
		err = check_features(&features, fault);
	if (err)
		return err;
	source = calloc(1, sizeof(*source));
	if (!source)
		return fault_set(fault, -ENOMEM, "out of memory");
	source->skel = whystall_bpf__open();
	if (!source->skel) {
		err = load_fault(fault, -errno, "open the BPF object");
		goto failed;
	}
	err = configure(source->skel, options, &features, fault);
	if (err)
		goto failed;
	err = whystall_bpf__load(source->skel);
	if (err) {
		err = load_fault(fault, err, "load BPF programs");
		goto failed;
	}
	err = bpf_maps_open(&source->maps, source->skel, fault);
	if (!err)
		err = fill_selection(source, options, fault);
	if (!err)
		err = attach_all(source, fault);
	if (err)
		goto failed;
	*result = source;
	return 0;
failed:
	bpf_source_close(source);
	return err;
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
	return diskstats_read("/proc/diskstats", sample, fault);
}

void bpf_source_settle(const struct bpf_source *source)
{
	const struct timespec pause = { .tv_nsec = 12000000 }; /* above suspect_age_ns */

	if (bpf_maps_has_fresh(&source->maps))
		nanosleep(&pause, NULL);
}

int bpf_source_tidy(struct bpf_source *source, struct fault *fault)
{
	return bpf_maps_tidy(&source->maps, fault);
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
	whystall_bpf__destroy(source->skel);
	free(source);
}
