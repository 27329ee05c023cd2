/* SPDX-License-Identifier: BSD-2-Clause */
/* The processes outside the job that a verdict's waits were for, in words and in JSON. Names in text are escaped. */
#ifndef WHYSTALL_SHOW_SERVED_H
#define WHYSTALL_SHOW_SERVED_H

#include <stdio.h>

#include "judge/served.h"
#include "show/json.h"
#include "show/words.h"

/* "  served: storage: /mnt/data, served by gcsfuse (812), 92 % of that on the network"; a line each. */
void show_served_text(FILE *out, const struct evidence *evidence);

/* "97 % of the waits for /mnt/data were ended by gcsfuse (812)"; `size` bytes of `line`. */
void show_served_sentence(char *line, size_t size, const struct evidence *evidence,
			  const struct served *served);

/* Append an entry for each to a verdict's `where`. */
void show_served_json(struct json_builder *b, json_t *where, const struct evidence *evidence);

#endif
