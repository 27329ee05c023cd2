/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What each system call may wait for, by the names that the kernel's headers give to their numbers. Beside abi.h the only
 * header for both sides: a table, and no dependencies.
 */
#ifndef WHYSTALL_SYSCALLS_H
#define WHYSTALL_SYSCALLS_H

#if defined(__TARGET_ARCH_x86) || defined(__x86_64__)
#include <asm/unistd_64.h>
#else
#include <asm/bitsperlong.h>
#undef __BITS_PER_LONG
#define __BITS_PER_LONG 64
/* As arm64's own header asks for them. */
#define __ARCH_WANT_RENAMEAT
#define __ARCH_WANT_NEW_STAT
#define __ARCH_WANT_SYS_CLONE3
#include <asm-generic/unistd.h>
#endif

/* The descriptor is the first argument, but for CALL_SENDFILE. */
enum call_kind {
	CALL_OTHER,
	CALL_READ,     /* from a descriptor */
	CALL_SENDFILE, /* from the descriptor in the second argument to the one in the first */
	CALL_SPLICE,   /* between a pipe and the descriptor in the first or third argument */
	CALL_WRITE,
	CALL_SYNC,
	CALL_SYNC_ALL, /* without a descriptor */
	CALL_META,     /* about a descriptor */
	CALL_PATH,     /* about a path */
	CALL_EXEC,
	CALL_POLL,
	CALL_SELECT,
	CALL_EPOLL,
	CALL_AIO,
	CALL_URING,
	CALL_LOCK,
	CALL_IPC,
	CALL_SLEEP,
	CALL_MEMORY, /* a process's address space */
};

/* Newer than some headers; from 424 on a call has the same number on every architecture. */
enum new_call {
	CALL_NR_OPEN_TREE = 428,
	CALL_NR_MOVE_MOUNT = 429,
	CALL_NR_FSMOUNT = 432,
	CALL_NR_OPENAT2 = 437,
	CALL_NR_FACCESSAT2 = 439,
	CALL_NR_PROCESS_MADVISE = 440,
	CALL_NR_EPOLL_PWAIT2 = 441,
	CALL_NR_FUTEX_WAITV = 449,
	CALL_NR_FCHMODAT2 = 452,
	CALL_NR_FUTEX_WAIT = 455,
};

enum { MAX_SYSCALLS = 512 };

static const unsigned char call_kinds[MAX_SYSCALLS] = {
	[__NR_read] = CALL_READ,
	[__NR_readv] = CALL_READ,
	[__NR_pread64] = CALL_READ,
	[__NR_preadv] = CALL_READ,
	[__NR_preadv2] = CALL_READ,
	[__NR_readahead] = CALL_READ,
	[__NR_fadvise64] = CALL_READ,
	[__NR_splice] = CALL_SPLICE,
	[__NR_copy_file_range] = CALL_READ,
	[__NR_sendfile] = CALL_SENDFILE,

	[__NR_write] = CALL_WRITE,
	[__NR_writev] = CALL_WRITE,
	[__NR_pwrite64] = CALL_WRITE,
	[__NR_pwritev] = CALL_WRITE,
	[__NR_pwritev2] = CALL_WRITE,
	[__NR_vmsplice] = CALL_WRITE,
	[__NR_tee] = CALL_WRITE,
	[__NR_fallocate] = CALL_WRITE,
	[__NR_ftruncate] = CALL_WRITE,
	[__NR_fsync] = CALL_SYNC,
	[__NR_fdatasync] = CALL_SYNC,
	[__NR_sync_file_range] = CALL_SYNC,
	[__NR_syncfs] = CALL_SYNC,
	[__NR_sync] = CALL_SYNC_ALL,
	[__NR_msync] = CALL_SYNC_ALL,

	/* Sockets have no call of their own here: what they wait for is the socket. */
	[__NR_connect] = CALL_READ,
	[__NR_accept] = CALL_READ,
	[__NR_accept4] = CALL_READ,
	[__NR_recvfrom] = CALL_READ,
	[__NR_recvmsg] = CALL_READ,
	[__NR_recvmmsg] = CALL_READ,
	[__NR_sendto] = CALL_WRITE,
	[__NR_sendmsg] = CALL_WRITE,
	[__NR_sendmmsg] = CALL_WRITE,
	[__NR_shutdown] = CALL_WRITE,

	[__NR_getdents64] = CALL_META,
	[__NR_fstat] = CALL_META,
	[__NR_fstatfs] = CALL_META,
	[__NR_lseek] = CALL_META,
	[__NR_ioctl] = CALL_META,
	[__NR_fchmod] = CALL_META,
	[__NR_fchown] = CALL_META,
	[__NR_fgetxattr] = CALL_META,
	[__NR_fsetxattr] = CALL_META,
	[__NR_flistxattr] = CALL_META,
	[__NR_fremovexattr] = CALL_META,
	[__NR_fchdir] = CALL_META,
	[__NR_open_by_handle_at] = CALL_META,

	/* Their descriptors are free already. */
	[__NR_close] = CALL_PATH,
	[__NR_close_range] = CALL_PATH,
	[__NR_dup3] = CALL_PATH,
	[__NR_openat] = CALL_PATH,
	[__NR_newfstatat] = CALL_PATH,
	[__NR_statx] = CALL_PATH,
	[__NR_statfs] = CALL_PATH,
	[__NR_faccessat] = CALL_PATH,
	[__NR_readlinkat] = CALL_PATH,
	[__NR_unlinkat] = CALL_PATH,
	[__NR_renameat] = CALL_PATH,
	[__NR_renameat2] = CALL_PATH,
	[__NR_mkdirat] = CALL_PATH,
	[__NR_mknodat] = CALL_PATH,
	[__NR_linkat] = CALL_PATH,
	[__NR_symlinkat] = CALL_PATH,
	[__NR_fchmodat] = CALL_PATH,
	[__NR_fchownat] = CALL_PATH,
	[__NR_utimensat] = CALL_PATH,
	[__NR_truncate] = CALL_PATH,
	[__NR_chdir] = CALL_PATH,
	[__NR_getxattr] = CALL_PATH,
	[__NR_lgetxattr] = CALL_PATH,
	[__NR_setxattr] = CALL_PATH,
	[__NR_lsetxattr] = CALL_PATH,
	[__NR_listxattr] = CALL_PATH,
	[__NR_llistxattr] = CALL_PATH,
	[__NR_removexattr] = CALL_PATH,
	[__NR_lremovexattr] = CALL_PATH,
	[__NR_name_to_handle_at] = CALL_PATH,
	[__NR_inotify_add_watch] = CALL_PATH,
	[__NR_fanotify_mark] = CALL_PATH,
	[__NR_chroot] = CALL_PATH,
	[__NR_mount] = CALL_PATH,
	[__NR_umount2] = CALL_PATH,
	[__NR_execve] = CALL_EXEC,
	[__NR_execveat] = CALL_EXEC,

	[__NR_ppoll] = CALL_POLL,
	[__NR_pselect6] = CALL_SELECT,
	[__NR_epoll_pwait] = CALL_EPOLL,
	[__NR_io_getevents] = CALL_AIO,
	[__NR_io_submit] = CALL_AIO,
	[__NR_io_destroy] = CALL_AIO,
	[__NR_io_uring_enter] = CALL_URING,

	[__NR_futex] = CALL_LOCK,
	[__NR_flock] = CALL_LOCK,
	[__NR_fcntl] = CALL_LOCK,
	[__NR_wait4] = CALL_IPC,
	[__NR_waitid] = CALL_IPC,
	[__NR_clone] = CALL_IPC, /* vfork */
	[__NR_clone3] = CALL_IPC,
	[__NR_msgsnd] = CALL_IPC,
	[__NR_msgrcv] = CALL_IPC,
	[__NR_semop] = CALL_IPC,
	[__NR_semtimedop] = CALL_IPC,
	[__NR_mq_timedsend] = CALL_IPC,
	[__NR_mq_timedreceive] = CALL_IPC,
	/* For a signal, which another process sends: a shell waits for its children so. */
	[__NR_rt_sigsuspend] = CALL_IPC,
	[__NR_rt_sigtimedwait] = CALL_IPC,
	[__NR_nanosleep] = CALL_SLEEP,
	[__NR_clock_nanosleep] = CALL_SLEEP,

	[__NR_mmap] = CALL_MEMORY,
	[__NR_munmap] = CALL_MEMORY,
	[__NR_mremap] = CALL_MEMORY,
	[__NR_mprotect] = CALL_MEMORY,
	[__NR_madvise] = CALL_MEMORY,
	[__NR_mlock] = CALL_MEMORY,
	[__NR_munlock] = CALL_MEMORY,
	[__NR_mlockall] = CALL_MEMORY,
	[__NR_munlockall] = CALL_MEMORY,
	[__NR_mlock2] = CALL_MEMORY,
	[__NR_mincore] = CALL_MEMORY,
	[__NR_mbind] = CALL_MEMORY,
	[__NR_migrate_pages] = CALL_MEMORY,
	[__NR_move_pages] = CALL_MEMORY,
	[__NR_process_vm_readv] = CALL_MEMORY,
	[__NR_process_vm_writev] = CALL_MEMORY,
	[__NR_shmat] = CALL_MEMORY,
	[__NR_shmdt] = CALL_MEMORY,
	[__NR_brk] = CALL_MEMORY,

	[CALL_NR_OPEN_TREE] = CALL_PATH,
	[CALL_NR_MOVE_MOUNT] = CALL_PATH,
	[CALL_NR_FSMOUNT] = CALL_META,
	[CALL_NR_OPENAT2] = CALL_PATH,
	[CALL_NR_FACCESSAT2] = CALL_PATH,
	[CALL_NR_PROCESS_MADVISE] = CALL_MEMORY,
	[CALL_NR_EPOLL_PWAIT2] = CALL_EPOLL,
	[CALL_NR_FUTEX_WAITV] = CALL_LOCK,
	[CALL_NR_FCHMODAT2] = CALL_PATH,
	[CALL_NR_FUTEX_WAIT] = CALL_LOCK,
	[__NR_io_pgetevents] = CALL_AIO,

/* Not on arm64. */
#ifdef __NR_open
	[__NR_open] = CALL_PATH,
	[__NR_creat] = CALL_PATH,
	[__NR_stat] = CALL_PATH,
	[__NR_lstat] = CALL_PATH,
	[__NR_access] = CALL_PATH,
	[__NR_readlink] = CALL_PATH,
	[__NR_unlink] = CALL_PATH,
	[__NR_rename] = CALL_PATH,
	[__NR_mkdir] = CALL_PATH,
	[__NR_rmdir] = CALL_PATH,
	[__NR_mknod] = CALL_PATH,
	[__NR_link] = CALL_PATH,
	[__NR_symlink] = CALL_PATH,
	[__NR_chmod] = CALL_PATH,
	[__NR_chown] = CALL_PATH,
	[__NR_lchown] = CALL_PATH,
	[__NR_utime] = CALL_PATH,
	[__NR_utimes] = CALL_PATH,
	[__NR_futimesat] = CALL_PATH,
	[__NR_dup2] = CALL_PATH,
	[__NR_getdents] = CALL_META,
	[__NR_poll] = CALL_POLL,
	[__NR_select] = CALL_SELECT,
	[__NR_epoll_wait] = CALL_EPOLL,
	[__NR_pause] = CALL_IPC,
	[__NR_fork] = CALL_IPC,
	[__NR_vfork] = CALL_IPC,
#endif
};

#endif
