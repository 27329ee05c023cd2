// SPDX-License-Identifier: BSD-2-Clause
#include "commands/account.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A longer entry (a group with that many members) ends the search. */
enum { ENTRY_BYTES = 1 << 20 };

/* Against a /proc that changes while it is walked. */
enum { MAX_ANCESTORS = 64 };

static void add_group(struct account *account, gid_t gid)
{
	for (int i = 0; i < account->group_count; i++)
		if (account->groups[i] == gid)
			return;
	if (account->group_count < ACCOUNT_GROUPS)
		account->groups[account->group_count++] = gid;
}

static void take_name(struct account *account, const struct passwd *user)
{
	account->named = strlen(user->pw_name) < sizeof(account->name) &&
			 strlen(user->pw_dir) < sizeof(account->home);
	if (!account->named)
		return;
	memcpy(account->name, user->pw_name, strlen(user->pw_name) + 1);
	memcpy(account->home, user->pw_dir, strlen(user->pw_dir) + 1);
}

static void read_passwd(struct account *account, uid_t uid, char *buffer)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd user, *found;

	if (!file)
		return;
	while (!account->named && fgetpwent_r(file, &user, buffer, ENTRY_BYTES, &found) == 0)
		if (user.pw_uid == uid)
			take_name(account, &user);
	fclose(file);
}

static bool is_member(const struct group *group, const char *name)
{
	for (char **member = group->gr_mem; *member; member++)
		if (strcmp(*member, name) == 0)
			return true;
	return false;
}

static void read_groups(struct account *account, char *buffer)
{
	FILE *file = fopen("/etc/group", "re");
	struct group group, *found;

	if (!file)
		return;
	while (fgetgrent_r(file, &group, buffer, ENTRY_BYTES, &found) == 0)
		if (is_member(&group, account->name))
			add_group(account, group.gr_gid);
	fclose(file);
}

static void add_listed(struct account *account, char *list)
{
	char *rest;

	for (char *word = strtok_r(list, " \t\n", &rest); word;
	     word = strtok_r(NULL, " \t\n", &rest))
		add_group(account, (gid_t)strtoul(word, NULL, 10));
}

/* Returns the parent of `pid`, or 0 where the walk ends: the process runs for the user, or cannot be read. */
static pid_t ask_process(struct account *account, pid_t pid, uid_t uid, char *line, size_t size)
{
	char path[64];
	unsigned int real = 0;
	int parent = 0;
	bool known = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, (int)size, file)) {
		if (sscanf(line, "PPid: %d", &parent) == 1)
			continue;
		if (sscanf(line, "Uid: %u", &real) == 1)
			known = real == uid;
		else if (known && strncmp(line, "Groups:", 7) == 0)
			add_listed(account, line + 7);
	}
	if (file)
		fclose(file);
	return known ? 0 : parent;
}

void account_read(struct account *account, uid_t uid, gid_t gid)
{
	char *buffer = malloc(ENTRY_BYTES);
	pid_t pid = getppid();

	account->named = false;
	account->group_count = 0;
	add_group(account, gid);
	if (!buffer)
		return;
	read_passwd(account, uid, buffer);
	if (account->named)
		read_groups(account, buffer);
	for (int i = 0; !account->named && pid > 0 && i < MAX_ANCESTORS; i++)
		pid = ask_process(account, pid, uid, buffer, ENTRY_BYTES);
	free(buffer);
}
