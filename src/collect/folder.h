/* SPDX-License-Identifier: BSD-2-Clause */
/* Names in a folder, for what lists one in each interval: opendir(3) takes memory each time. */
#ifndef WHYSTALL_COLLECT_FOLDER_H
#define WHYSTALL_COLLECT_FOLDER_H

#include <stdbool.h>

/* Call `each` for the names in a folder, "." and ".." too, until it returns false. Returns 0, or what kept it from reading on. */
int folder_each(const char *path, bool (*each)(void *context, const char *name), void *context);

#endif
