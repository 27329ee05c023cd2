// SPDX-License-Identifier: BSD-2-Clause
#include "show/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/*
 * Of the object that is being built, since jansson does not tell which one it takes memory for. None where jansson keeps some
 * of it for later objects: its own conversion of numbers does, from 2.15 on.
 */
static struct scratch *memory;

static void *take(size_t size)
{
	return memory ? scratch_take(memory, 1, size) : malloc(size);
}

static void give_back(void *taken)
{
	if (!memory)
		free(taken);
}

void json_begin(struct json_builder *b, struct scratch *scratch)
{
	if (jansson_version_cmp(2, 15, 0) >= 0)
		scratch = NULL;
	*b = (struct json_builder){ .scratch = scratch };
	if (scratch)
		b->mark = scratch_mark(scratch);
	memory = scratch;
	json_set_alloc_funcs(take, give_back);
	b->root = json_object();
}

void json_add(struct json_builder *b, json_t *object, const char *key, json_t *value)
{
	if (!object || !value || json_object_set_new(object, key, value) != 0)
		b->failed = true;
}

void json_append_text(struct json_builder *b, json_t *array, const char *text)
{
	if (!array || json_array_append_new(array, json_string(text)) != 0)
		b->failed = true;
}

void json_add_text(struct json_builder *b, json_t *object, const char *key, const char *text)
{
	size_t size = 4 * strlen(text) + 1;
	char *safe = take(size);

	if (!safe) {
		b->failed = true;
		return;
	}
	json_add(b, object, key, json_string(text_escape(safe, size, text, TEXT_JSON)));
	give_back(safe);
}

void json_add_count(struct json_builder *b, json_t *object, const char *key, uint64_t count)
{
	json_add(b, object, key, json_integer((json_int_t)count));
}

void json_add_real(struct json_builder *b, json_t *object, const char *key, double value)
{
	/* Nothing is measured finer than a nanosecond, which is 0.001 of the unit shown, or 1e-9 s. */
	json_add(b, object, key, json_real(round(value * 1e9) / 1e9));
}

void json_add_null(struct json_builder *b, json_t *object, const char *key)
{
	json_add(b, object, key, json_null());
}

void json_add_known_count(struct json_builder *b, json_t *object, const char *key, bool known,
			  uint64_t count)
{
	if (known)
		json_add_count(b, object, key, count);
	else
		json_add_null(b, object, key);
}

void json_add_known_real(struct json_builder *b, json_t *object, const char *key, bool known,
			 double value)
{
	if (known)
		json_add_real(b, object, key, value);
	else
		json_add_null(b, object, key);
}

static json_t *open_value(struct json_builder *b, json_t *parent, const char *key, json_t *value)
{
	int err = 0;

	if (!parent || !value) {
		json_decref(value);
		b->failed = true;
		return NULL;
	}
	/* The parent takes the reference; the pointer stays good as long as the parent is. */
	err = key ? json_object_set_new(parent, key, value) : json_array_append_new(parent, value);
	if (err) {
		b->failed = true;
		return NULL;
	}
	return value;
}

json_t *json_open_object(struct json_builder *b, json_t *parent, const char *key)
{
	return open_value(b, parent, key, json_object());
}

json_t *json_open_array(struct json_builder *b, json_t *parent, const char *key)
{
	return open_value(b, parent, key, json_array());
}

int json_finish(struct json_builder *b, FILE *out, bool one_line)
{
	size_t flags = JSON_REAL_PRECISION(15) | (one_line ? JSON_COMPACT : JSON_INDENT(2));

	/* A full disk is the stream's error, seen by its owner. */
	if (!b->failed) {
		json_dumpf(b->root, out, flags);
		fputc('\n', out);
	}
	json_decref(b->root);
	b->root = NULL;
	if (b->scratch)
		scratch_release(b->scratch, b->mark);
	memory = NULL;
	return b->failed ? -ENOMEM : 0;
}
