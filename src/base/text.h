/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of processes, files and control groups are written by untrusted users. Nothing of the kind is
 * printed without passing through here.
 */
#ifndef WHYSTALL_BASE_TEXT_H
#define WHYSTALL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum text_use {
	TEXT_PLAIN, /* terminal and CSV: control characters and invalid UTF-8 become \xNN */
	TEXT_JSON,  /* invalid UTF-8 becomes \xNN, the rest is left to the JSON library */
};

/*
 * Write `in` into `out`, escaped, always NUL-terminated; what does not fit is cut between characters.
 * A size of 4 * strlen(in) + 1 always suffices. Returns `out`.
 */
char *text_escape(char *out, size_t size, const char *in, enum text_use use);

/*
 * Arguments as the kernel keeps them, each ended by NUL, as one line in `out` with spaces between. Cut
 * at `size` - 1.
 */
void text_join_arguments(char *out, size_t size, const char *in, size_t len);

/* Is a path the folder, or something below it? */
bool text_is_below(const char *path, const char *folder);

/* Copy, cut at `size` - 1; returns whether it fitted. */
bool text_copy(char *out, size_t size, const char *in);

#endif
