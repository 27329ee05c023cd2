// SPDX-License-Identifier: BSD-2-Clause
#include "collect/features.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct feature_tracepoint_info feature_tracepoints[TP_COUNT] = {
	[TP_BLOCK_IO_START] = { "block_io_start", false,
				"the start of a request is taken from its first bio (kernels before 6.5)" },
	[TP_BLOCK_GETRQ] = { "block_getrq", false, "needed only where block_io_start is missing" },
	[TP_BLOCK_RQ_ISSUE] = { "block_rq_issue", true, "no latency" },
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
};

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

int features_probe(struct features *features, struct fault *fault)
{
	static const char prefix[] = "btf_trace_";
	const char *without = getenv("WHYSTALL_WITHOUT");
	struct btf *btf = btf__load_vmlinux_btf();
	__u32 count;

	memset(features, 0, sizeof(*features));
	if (!btf)
		return fault_set_exit(
			fault, EXIT_NOT_SUPPORTED, -errno,
			"this kernel has no usable type information (BTF, "
			"/sys/kernel/btf/vmlinux): %s; CONFIG_DEBUG_INFO_BTF is needed",
			strerror(errno));
	features->btf = true;
	count = btf__type_cnt(btf);
	for (__u32 id = 1; id < count; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *name;

		if (btf_kind(type) != BTF_KIND_TYPEDEF)
			continue;
		name = btf__name_by_offset(btf, type->name_off);
		if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		name += sizeof(prefix) - 1;
		for (int i = 0; i < TP_COUNT; i++)
			if (strcmp(name, feature_tracepoints[i].name) == 0)
				features->tracepoint[i] = !is_in_list(without, name);
	}
	btf__free(btf);
	return 0;
}
