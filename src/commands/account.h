/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of this host say of a user. Not getpwuid() and getgrouplist(): for those the C library loads modules, and the
 * static binary has none to load.
 */
#ifndef WHYSTALL_COMMANDS_ACCOUNT_H
#define WHYSTALL_COMMANDS_ACCOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum { ACCOUNT_GROUPS = 1024 };

struct account {
	bool named; /* has an entry in /etc/passwd: name and home are set */
	char name[256];
	char home[PATH_MAX];
	gid_t groups[ACCOUNT_GROUPS]; /* the first is the user's own */
	int group_count;
};

/*
 * Reads the account of `uid`, whose own group is `gid`. A user that only a directory service knows (LDAP, say) has the
 * groups of the nearest process above this one that runs for it: the shell in which sudo was typed. Where there is none,
 * or in a container without the files, `gid` is the only group.
 */
void account_read(struct account *account, uid_t uid, gid_t gid);

#endif
