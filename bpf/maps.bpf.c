// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The one definition of all maps, knobs and global state. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "abi.h"
#define MAP_LINKAGE
#include "config.bpf.h"
#include "maps.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile bool config_all = false;
const volatile bool config_devices = false;
const volatile bool config_glob = false;
const volatile struct glob config_glob_table = {};
const volatile bool config_cgroup = false;
const volatile __u64 config_cgroup_id = 0;
const volatile __u32 config_cgroup_hierarchy = 0;
const volatile __u32 config_pidns_inum = 0;
const volatile __u32 config_max_owners = MAX_OWNERS;
const volatile __u32 config_max_rows = MAX_ROWS;
const volatile __u32 config_max_files = MAX_FILES;
const volatile __u32 config_inflight_mask = MAX_INFLIGHT - 1;
const volatile bool config_ledger = false;
const volatile bool config_keep_threads = false;
const volatile bool config_thread_names = false;
const volatile __u32 config_max_threads = MAX_THREADS;
const volatile __u8 config_gpu_majors[GPU_MAJORS] = {};
const volatile bool config_has_io_start = true;
const volatile bool config_has_filemap_fault = false;
const volatile bool config_preemptible = false;
const volatile bool config_has_preempt_count = false;
const volatile __s64 config_preempt_count_at = 0;
const volatile bool config_counts_disabled = false;

struct loss loss = {};
__u32 owners_used = OWNER_FIRST;
__u32 rows_used = RESERVED_ROWS;
__u32 threads_used = 0;
__u32 concurrency_used = 0;
__u64 closings_begun = 0;
__u64 closings_done = 0;
__u64 compat_sleeps = 0;
__u32 reserved_rows_used = 0;
__u32 files_used = 0;
__u64 file_names_used = 0;
bool upper_attached = false;
__u64 upper_bios_now = 0;
__u64 spilled_now = 0;
__u64 spilled_total = 0;
__s64 job_alive = 0;
bool attaching = false;
__u64 adopted = 0;
__u32 servers_alive = 0;
bool serving = false;
__u32 membership_epoch = 0;
