// SPDX-License-Identifier: BSD-2-Clause
#include "collect/proc_wait.h"

#include <string.h>
#include <sys/syscall.h>

#include "syscalls.h"

/* A function may belong to any of several states: then it depends on what the process has open. */
enum { BY_DESCRIPTORS = LEDGER_STATES };

/* The kernel's functions that threads sleep in, by the beginnings of their names. Sources: kernels 4.18 to 7.0. */
static const struct {
	const char *prefix;
	unsigned int state;
} functions[] = {
	{ "futex_", LEDGER_LOCK },
	{ "rwsem_down_", LEDGER_LOCK },
	{ "__down_", LEDGER_LOCK },
	{ "flock_lock", LEDGER_LOCK },
	{ "fcntl_setlk", LEDGER_LOCK },
	{ "locks_lock_inode_wait", LEDGER_LOCK },
	{ "do_lock_file_wait", LEDGER_LOCK },

	{ "pipe_write", LEDGER_SEND },
	{ "anon_pipe_write", LEDGER_SEND },
	{ "unix_wait_for_peer", LEDGER_SEND },
	{ "sock_alloc_send_pskb", LEDGER_SEND },
	{ "pipe_", LEDGER_IPC },
	{ "anon_pipe_", LEDGER_IPC },
	{ "fifo_", LEDGER_IPC },
	{ "wait_for_partner", LEDGER_IPC },
	{ "unix_", LEDGER_IPC },
	{ "__unix_", LEDGER_IPC },
	{ "eventfd_", LEDGER_IPC },
	{ "signalfd_", LEDGER_IPC },
	{ "do_wait", LEDGER_IPC },
	{ "kernel_wait4", LEDGER_IPC },
	{ "kernel_clone", LEDGER_IPC }, /* vfork */
	{ "_do_fork", LEDGER_IPC },
	{ "sigsuspend", LEDGER_IPC },
	{ "do_sigtimedwait", LEDGER_IPC },
	{ "sys_pause", LEDGER_IPC },
	{ "__do_sys_pause", LEDGER_IPC },
	{ "__x64_sys_pause", LEDGER_IPC },
	{ "do_msgrcv", LEDGER_IPC },
	{ "do_msgsnd", LEDGER_SEND },
	{ "do_semtimedop", LEDGER_IPC },
	{ "__do_semtimedop", LEDGER_IPC },
	{ "wq_sleep", LEDGER_IPC },

	{ "hrtimer_nanosleep", LEDGER_SLEEP },
	{ "do_nanosleep", LEDGER_SLEEP },
	{ "common_nsleep", LEDGER_SLEEP },
	{ "timerfd_read", LEDGER_SLEEP },
	{ "msleep", LEDGER_SLEEP },

	{ "sk_wait_data", LEDGER_NETWORK },
	{ "sk_stream_wait_", LEDGER_NETWORK },
	{ "__skb_wait_for_more_packets", LEDGER_NETWORK },
	{ "tcp_", LEDGER_NETWORK },
	{ "inet_csk_", LEDGER_NETWORK },
	{ "inet_wait_for_connect", LEDGER_NETWORK },

	{ "balance_dirty_pages", LEDGER_DIRTY_LIMIT },
	{ "jbd2_log_wait_commit", LEDGER_FSYNC },
	{ "folio_wait_writeback", LEDGER_FSYNC },
	{ "wait_on_page_writeback", LEDGER_FSYNC },
	{ "__filemap_fdatawait", LEDGER_FSYNC },
	{ "xfs_log_force", LEDGER_FSYNC },
	{ "xlog_", LEDGER_FSYNC },
	{ "blkdev_issue_flush", LEDGER_FSYNC },
	{ "btrfs_wait_", LEDGER_FSYNC },
	{ "wait_current_trans", LEDGER_STORAGE_META },
	{ "lookup_", LEDGER_STORAGE_META },
	{ "__lookup_slow", LEDGER_STORAGE_META },
	{ "folio_wait_bit", LEDGER_STORAGE_READ },
	{ "folio_wait_", LEDGER_STORAGE_READ },
	{ "__folio_lock", LEDGER_STORAGE_READ },
	{ "wait_on_page_", LEDGER_STORAGE_READ },
	{ "__lock_page", LEDGER_STORAGE_READ },
	{ "put_and_wait_on_page", LEDGER_STORAGE_READ },
	{ "migration_entry_wait", LEDGER_OTHER },
	{ "filemap_", LEDGER_STORAGE_READ },
	{ "generic_file_", LEDGER_STORAGE_READ },
	{ "__wait_on_buffer", LEDGER_STORAGE_READ },
	{ "wait_on_buffer", LEDGER_STORAGE_READ },
	{ "blk_", LEDGER_STORAGE_READ },
	{ "rq_qos_wait", LEDGER_STORAGE_READ },
	{ "wbt_wait", LEDGER_STORAGE_READ },
	{ "__blkdev_direct_IO", LEDGER_STORAGE_READ },
	{ "blkdev_", LEDGER_STORAGE_READ },
	{ "submit_bio_wait", LEDGER_STORAGE_READ },
	{ "__iomap_dio_rw", LEDGER_STORAGE_READ },
	{ "iomap_dio_", LEDGER_STORAGE_READ },
	{ "do_blockdev_direct_IO", LEDGER_STORAGE_READ },
	{ "dio_", LEDGER_STORAGE_READ },
	{ "read_events", LEDGER_STORAGE_READ }, /* io_getevents */
	{ "request_wait_answer", LEDGER_STORAGE_READ },
	{ "fuse_", LEDGER_STORAGE_READ },
	{ "__fuse_", LEDGER_STORAGE_READ },
	{ "nfs", LEDGER_STORAGE_READ },
	{ "rpc_wait_bit", LEDGER_STORAGE_READ },
	{ "ceph_", LEDGER_STORAGE_READ },
	{ "cifs_", LEDGER_STORAGE_READ },
	{ "wait_for_response", LEDGER_STORAGE_READ },
	{ "cl_", LEDGER_STORAGE_READ },
	{ "p9_client_rpc", LEDGER_STORAGE_READ },
	{ "p9_virtio_request", LEDGER_STORAGE_READ },

	{ "nvidia", LEDGER_GPU },
	{ "nv_", LEDGER_GPU },
	{ "uvm_", LEDGER_GPU },
	{ "amdgpu_", LEDGER_GPU },
	{ "kfd_", LEDGER_GPU },
	{ "drm_", LEDGER_GPU },
	{ "dma_fence_", LEDGER_GPU },

	{ "ep_poll", BY_DESCRIPTORS },
	{ "do_epoll_", BY_DESCRIPTORS },
	{ "poll_schedule_timeout", BY_DESCRIPTORS },
	{ "schedule_hrtimeout_range", BY_DESCRIPTORS },
	{ "do_sys_poll", BY_DESCRIPTORS },
	{ "do_poll", BY_DESCRIPTORS },
	{ "do_select", BY_DESCRIPTORS },
};

static unsigned int state_of_function(const char *function)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (strncmp(function, functions[i].prefix, strlen(functions[i].prefix)) == 0)
			return functions[i].state;
	return LEDGER_OTHER;
}

static bool is_storage(unsigned int state)
{
	return state < LEDGER_STATES && ledger_wait_kind(state) >= 0;
}

static unsigned int kind_of(const struct proc_syscall *call)
{
	return call->number >= 0 && call->number < MAX_SYSCALLS ? call_kinds[call->number] :
								  CALL_OTHER;
}

enum proc_wait_fds proc_wait_fds(const struct proc_syscall *call)
{
	switch (kind_of(call)) {
	case CALL_READ:
	case CALL_WRITE:
	case CALL_SYNC:
	case CALL_META:
		return PROC_WAIT_FIRST_FD;
	case CALL_SENDFILE:
		return PROC_WAIT_SECOND_FD;
	case CALL_SPLICE:
		return PROC_WAIT_SPLICE;
	case CALL_POLL:
		return PROC_WAIT_POLL;
	case CALL_SELECT:
		return PROC_WAIT_SELECT;
	case CALL_EPOLL:
		return PROC_WAIT_EPOLL;
	default:
		return PROC_WAIT_NO_FD;
	}
}

/* A path may name a FIFO: the name of one in /proc/PID/fd is a file's. */
bool proc_wait_needs_function(const struct proc_syscall *call, unsigned int fds)
{
	unsigned int kind = kind_of(call);

	if (call->number < 0 || kind == CALL_OTHER || kind == CALL_MEMORY ||
	    kind == CALL_SENDFILE || kind == CALL_SPLICE || kind == CALL_PATH)
		return true;
	return proc_wait_fds(call) == PROC_WAIT_FIRST_FD &&
	       fds & (PROC_ON_STORAGE | PROC_ON_UNKNOWN);
}

/* The state of a thread whose call is about a file on storage. */
static enum ledger_state state_of_storage(unsigned int kind, unsigned int by_function)
{
	switch (kind) {
	case CALL_READ:
	case CALL_SENDFILE:
	case CALL_SPLICE:
		return LEDGER_STORAGE_READ;
	case CALL_WRITE:
		return by_function == LEDGER_DIRTY_LIMIT ? LEDGER_DIRTY_LIMIT :
							   LEDGER_STORAGE_WRITE;
	case CALL_SYNC:
		return LEDGER_FSYNC;
	default:
		return LEDGER_STORAGE_META;
	}
}

/* The state of a thread that waits for any of several, whose kinds are added up. */
static enum ledger_state state_of_poll(unsigned int fds)
{
	if (fds & PROC_ON_INET)
		return LEDGER_NETWORK;
	if (fds & PROC_ON_UNKNOWN)
		return LEDGER_OTHER;
	if (!(fds & ~(unsigned int)PROC_ON_TIMER))
		return LEDGER_SLEEP;
	return fds == PROC_ON_GPU ? LEDGER_GPU : LEDGER_IPC;
}

/* sendfile and splice have a pipe or socket on one side: the kernel's function tells which one is waited for. */
static enum ledger_state state_of_descriptor(unsigned int kind, unsigned int fds,
					     unsigned int by_function)
{
	bool writes = kind == CALL_WRITE;

	if (fds & PROC_ON_STORAGE) {
		if (by_function == LEDGER_IPC || by_function == LEDGER_SEND)
			return by_function; /* a FIFO */
		if ((kind == CALL_SENDFILE || kind == CALL_SPLICE) && !is_storage(by_function))
			return (enum ledger_state)by_function;
		return state_of_storage(kind, by_function);
	}
	if (fds & PROC_ON_INET)
		return LEDGER_NETWORK;
	if (fds & PROC_ON_PIPE)
		return writes ? LEDGER_SEND : LEDGER_IPC;
	if (fds & PROC_ON_TIMER)
		return LEDGER_SLEEP;
	if (fds & PROC_ON_GPU)
		return LEDGER_GPU;
	if (fds & PROC_ON_UNKNOWN && is_storage(by_function))
		return state_of_storage(kind, by_function);
	return by_function < LEDGER_STATES ? (enum ledger_state)by_function : LEDGER_OTHER;
}

enum ledger_state proc_wait_state(const struct proc_syscall *call, unsigned int fds,
				  const char *function)
{
	unsigned int by_function = state_of_function(function), kind = kind_of(call);

	if (call->number < 0) /* a page fault */
		return is_storage(by_function)    ? LEDGER_STORAGE_FAULT :
		       by_function == LEDGER_LOCK ? LEDGER_LOCK :
						    LEDGER_OTHER;
	switch (kind) {
	case CALL_READ:
	case CALL_WRITE:
	case CALL_SYNC:
	case CALL_META:
	case CALL_SENDFILE:
	case CALL_SPLICE:
		return state_of_descriptor(kind, fds, by_function);
	case CALL_SYNC_ALL:
		return LEDGER_FSYNC;
	case CALL_PATH:
		return by_function == LEDGER_IPC ? LEDGER_IPC : LEDGER_STORAGE_META;
	case CALL_EXEC:
		return LEDGER_STORAGE_META;
	case CALL_POLL:
	case CALL_SELECT:
	case CALL_EPOLL:
		return state_of_poll(fds);
	case CALL_AIO:
		return LEDGER_STORAGE_READ;
	case CALL_LOCK:
		return LEDGER_LOCK;
	case CALL_IPC:
		return LEDGER_IPC;
	case CALL_SLEEP:
		return LEDGER_SLEEP;
	case CALL_MEMORY:
		return is_storage(by_function)    ? LEDGER_STORAGE_FAULT :
		       by_function == LEDGER_LOCK ? LEDGER_LOCK :
						    LEDGER_OTHER;
	default:
		return by_function < LEDGER_STATES ? (enum ledger_state)by_function : LEDGER_OTHER;
	}
}

enum ledger_state proc_wait_state_by_function(const char *function, char letter, unsigned int holds)
{
	unsigned int state = state_of_function(function);

	if (letter == 'T' || letter == 't')
		return LEDGER_OTHER;
	if (state == BY_DESCRIPTORS)
		return holds & (PROC_ON_INET | PROC_ON_UNKNOWN) ? LEDGER_OTHER : LEDGER_IPC;
	if (state == LEDGER_OTHER && letter == 'D')
		return LEDGER_STORAGE_READ;
	return (enum ledger_state)state;
}
