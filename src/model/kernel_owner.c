// SPDX-License-Identifier: BSD-2-Clause
#include "model/kernel_owner.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* Names of kernel threads and work queues; `numbered`: a digit follows, as in "md0_raid5". */
static const struct {
	const char *prefix;
	bool numbered;
	struct kernel_owner owner;
} known[] = {
	{ "swap", false, { "[swap]", false } },
	{ "loop", true, { "[loop]", true } },
	{ "md", true, { "[md]", true } },
	{ "raid5wq", false, { "[md]", true } },
	{ "dm-", false, { "[dm]", true } },
	{ "dm_", false, { "[dm]", true } },
	{ "dmcrypt_write", false, { "[dm]", true } },
	{ "kcryptd", false, { "[dm]", true } },
	{ "kdelayd", false, { "[dm]", true } },
	{ "kdmflush", false, { "[dm]", true } },
	{ "kcopyd", false, { "[dm]", true } },
	{ "kmirrord", false, { "[dm]", true } },
	{ "ksnaphd", false, { "[dm]", true } },
	{ "kverityd", false, { "[dm]", true } },
};

struct kernel_owner kernel_owner_of(const char *name)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t len = strlen(known[i].prefix);

		if (strncmp(name, known[i].prefix, len) == 0 &&
		    (!known[i].numbered || isdigit((unsigned char)name[len])))
			return known[i].owner;
	}
	return (struct kernel_owner){ "[kernel]", false };
}
