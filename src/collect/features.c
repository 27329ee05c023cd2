// SPDX-License-Identifier: BSD-2-Clause
#include "collect/features.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const struct feature_tracepoint_info feature_tracepoints[TP_COUNT] = {
	[TP_BLOCK_IO_START] = { "block_io_start", false,
				"the start of a request is taken from its first bio (kernels before 6.5)" },
	[TP_BLOCK_GETRQ] = { "block_getrq", false, "needed only where block_io_start is missing" },
	[TP_BLOCK_RQ_ISSUE] = { "block_rq_issue", false, "no latency" },
	[TP_BLOCK_RQ_COMPLETE] = { "block_rq_complete", true, "no bytes and no latency" },
	[TP_BLOCK_RQ_REQUEUE] = { "block_rq_requeue", true, "wrong latency after a requeue" },
	[TP_BLOCK_RQ_MERGE] = { "block_rq_merge", true, "wrong owner of merged requests" },
	[TP_BLOCK_BIO_BACKMERGE] = { "block_bio_backmerge", true, "wrong owner of merged bytes" },
	[TP_BLOCK_BIO_FRONTMERGE] = { "block_bio_frontmerge", true, "wrong owner of merged bytes" },
	[TP_TASK_NEWTASK] = { "task_newtask", true, "children of the job are not followed" },
	[TP_SCHED_PROCESS_EXEC] = { "sched_process_exec", true, "names after exec are not known" },
	[TP_SCHED_PROCESS_EXIT] = { "sched_process_exit", true,
				    "the end of processes is not seen" },
	[TP_CGROUP_ATTACH_TASK] = { "cgroup_attach_task", false,
				    "-c does not see tasks that join later" },
	[TP_MM_FILEMAP_ADD] = { "mm_filemap_add_to_page_cache", false,
				"buffered reads under an I/O limit have no owner" },
	[TP_WRITEBACK_DIRTY_FOLIO] = { "writeback_dirty_folio", false,
				       "buffered writes have no owner" },
	[TP_BLOCK_BIO_QUEUE] = { "block_bio_queue", false, "no rows for dm, md and zram" },
	[TP_SCHED_SWITCH] = { "sched_switch", false,
			      "where threads spend their time is not known" },
	[TP_SCHED_WAKEUP] = { "sched_wakeup", false,
			      "where threads spend their time is not known" },
	[TP_SCHED_WAKING] = { "sched_waking", false,
			      "which thread ends another's wait is not known" },
	[TP_MM_FILEMAP_FAULT] = { "mm_filemap_fault", false,
				  "the file of a page fault is taken from the pages that it adds "
				  "to the page cache (kernels before 6.12)" },
	[TP_BLOCK_BIO_COMPLETE] = { "block_bio_complete", false, "no rows for dm, md and zram" },
};

const struct feature_member_info feature_members[MEMBER_COUNT] = {
	[MEMBER_PAGE_HEAD] = { "first page of a folio",
			       "page",
			       { "compound_head", "compound_info" },
			       "I/O of large folios by kernel threads has no owner and no file" },
	[MEMBER_DENTRY_ALIAS] = { "name of an inode", "dentry", { "d_u", "d_alias" }, "no files" },
	[MEMBER_BIO_CGROUP] = { "control group of a bio",
				"bio",
				{ "bi_blkg", NULL },
				"no rows [cgroup NAME]" },
	[MEMBER_MM_OWNER] = { "process of memory",
			      "mm_struct",
			      { "owner", NULL },
			      "direct I/O held back by a limit has no owner" },
};

/* Also in the structures without a name inside it, a few levels deep; `at`: bytes from the structure's start. */
static bool find_member(const struct btf *btf, const struct btf_type *type, const char *name,
			int depth, int64_t *at)
{
	const struct btf_member *members = btf_members(type);

	for (int i = 0; i < btf_vlen(type); i++) {
		const char *found = btf__name_by_offset(btf, members[i].name_off);
		const struct btf_type *inner = btf__type_by_id(btf, members[i].type);

		int64_t here = btf_member_bit_offset(type, (__u32)i) / 8;

		*at = 0;
		if (strcmp(found, name) == 0 ||
		    (!found[0] && depth && inner && btf_is_composite(inner) &&
		     find_member(btf, inner, name, depth - 1, at))) {
			*at += here;
			return true;
		}
	}
	return false;
}

static bool probe_member(const struct btf *btf, const struct feature_member_info *info)
{
	int id = btf__find_by_name_kind(btf, info->type, BTF_KIND_STRUCT);
	int64_t at;

	for (int i = 0; id > 0 && i < 2 && info->any[i]; i++)
		if (find_member(btf, btf__type_by_id(btf, (__u32)id), info->any[i], 4, &at))
			return true;
	return false;
}

static bool is_in_list(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (list && *list) {
		if (strncmp(list, name, len) == 0 && (list[len] == ',' || list[len] == '\0'))
			return true;
		list = strchr(list, ',');
		if (list)
			list++;
	}
	return false;
}

/* Where a variable of each processor is, from their beginning on; false if the kernel does not tell. */
static bool find_percpu(const struct btf *btf, const struct btf_type *section, const char *name,
			int64_t *at)
{
	for (int i = 0; i < btf_vlen(section); i++) {
		const struct btf_var_secinfo *found = &btf_var_secinfos(section)[i];
		const struct btf_type *variable = btf__type_by_id(btf, found->type);

		if (strcmp(btf__name_by_offset(btf, variable->name_off), name) == 0) {
			*at = found->offset;
			return true;
		}
	}
	return false;
}

/* From 6.2 to 6.14 it is a member of a structure. */
static bool find_in_pcpu_hot(const struct btf *btf, const struct btf_type *section, int64_t *at)
{
	int id = btf__find_by_name_kind(btf, "pcpu_hot", BTF_KIND_STRUCT);
	int64_t member;

	if (id <= 0 || !find_percpu(btf, section, "pcpu_hot", at) ||
	    !find_member(btf, btf__type_by_id(btf, (__u32)id), "preempt_count", 4, &member))
		return false;
	*at += member;
	return true;
}

/* Of x86, for bpf/edges.bpf.h. */
static void find_preempt_count(const struct btf *btf, struct features *features)
{
	int id = btf__find_by_name_kind(btf, ".data..percpu", BTF_KIND_DATASEC);
	const struct btf_type *section = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
	int64_t queue, count, unused;

	if (!section)
		return;
	features->counts_disabled =
		find_percpu(btf, section, "local_interrupt_disable_state", &unused);
	if (!find_percpu(btf, section, "runqueues", &queue) ||
	    !(find_percpu(btf, section, "__preempt_count", &count) ||
	      find_in_pcpu_hot(btf, section, &count)))
		return;
	features->has_preempt_count = true;
	features->preempt_count_at = count - queue;
}

/*
 * The kernel's types at once, where they can be mapped (since v6.16); libbpf reads them, a page with each call. Three of five and
 * a half milliseconds were saved.
 */
static struct btf *map_btf(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct btf *btf = NULL;
	struct stat st;
	void *data;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size <= UINT32_MAX) {
		data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data != MAP_FAILED) {
			btf = btf__new(data, (__u32)st.st_size);
			munmap(data, (size_t)st.st_size);
		}
	}
	close(fd);
	return btf;
}

struct btf *features_load_btf(struct fault *fault)
{
	struct btf *btf = map_btf("/sys/kernel/btf/vmlinux");

	if (!btf)
		btf = btf__load_vmlinux_btf();
	if (!btf)
		fault_set_exit(fault, EXIT_NOT_SUPPORTED, -errno,
			       "this kernel has no usable type information (BTF, "
			       "/sys/kernel/btf/vmlinux): %s; CONFIG_DEBUG_INFO_BTF is needed",
			       strerror(errno));
	return btf;
}

void features_read(struct features *features, const struct btf *btf)
{
	static const char prefix[] = "btf_trace_";
	/* The guard around the programs' calls since they may be preempted: bpf/twice.bpf.h. */
	static const char guard[] = "class_srcu_fast_notrace_t";
	const char *without = getenv("WHYSTALL_WITHOUT");
	__u32 count = btf__type_cnt(btf);

	memset(features, 0, sizeof(*features));
	features->btf = true;
	for (__u32 id = 1; id < count; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *name;

		if (btf_kind(type) != BTF_KIND_TYPEDEF)
			continue;
		name = btf__name_by_offset(btf, type->name_off);
		if (strcmp(name, guard) == 0)
			features->preemptible = true;
		if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		name += sizeof(prefix) - 1;
		for (int i = 0; i < TP_COUNT; i++)
			if (strcmp(name, feature_tracepoints[i].name) == 0)
				features->tracepoint[i] = !is_in_list(without, name);
	}
	find_preempt_count(btf, features);
	for (int i = 0; i < MEMBER_COUNT; i++)
		features->member[i] = probe_member(btf, &feature_members[i]);
}

int features_probe(struct features *features, struct fault *fault)
{
	struct btf *btf = features_load_btf(fault);

	memset(features, 0, sizeof(*features));
	if (!btf)
		return -ENOENT;
	features_read(features, btf);
	btf__free(btf);
	return 0;
}
