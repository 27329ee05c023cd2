/* SPDX-License-Identifier: BSD-2-Clause */
/* Small additions to jansson: keys from the metrics table, strings from untrusted bytes. */
#ifndef WHYSTALL_SHOW_JSON_H
#define WHYSTALL_SHOW_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/scratch.h"
#include "show/metrics.h"

/*
 * An object under construction. The first failure (only memory can be short) sets `failed`, later calls
 * do nothing, and the end is asked once.
 */
struct json_builder {
	json_t *root;
	bool failed;
	struct scratch *scratch; /* NULL: each value has memory of its own */
	struct scratch_mark mark;
};

/*
 * Begin an object whose memory, and jansson's for writing it, is of `scratch`, until it is finished: before another one is
 * begun.
 */
void json_begin(struct json_builder *b, struct scratch *scratch);

/* Each adds one member to `object`; NULL objects are allowed after a failure. */
void json_add(struct json_builder *b, json_t *object, const char *key, json_t *value);
void json_add_text(struct json_builder *b, json_t *object, const char *key, const char *text);
void json_add_count(struct json_builder *b, json_t *object, const char *key, uint64_t count);
void json_add_real(struct json_builder *b, json_t *object, const char *key, double value);
/* null where it is not known. */
void json_add_known_count(struct json_builder *b, json_t *object, const char *key, bool known,
			  uint64_t count);
void json_add_known_real(struct json_builder *b, json_t *object, const char *key, bool known,
			 double value);
/* To an array; `text` is UTF-8. */
void json_append_text(struct json_builder *b, json_t *array, const char *text);
void json_add_null(struct json_builder *b, json_t *object, const char *key);

/* A new empty object or array inside `parent`; with a NULL key, at the end of an array. */
json_t *json_open_object(struct json_builder *b, json_t *parent, const char *key);
json_t *json_open_array(struct json_builder *b, json_t *parent, const char *key);

/* Write root and a newline, then give it back. Returns 0 or -ENOMEM. */
int json_finish(struct json_builder *b, FILE *out, bool one_line);

#endif
