// SPDX-License-Identifier: BSD-2-Clause
#include "show/served.h"

#include <string.h>

#include "base/text.h"
#include "show/metrics.h"
#include "show/verdict.h"

enum { PLACE_LEN = 160, PLACE_TEXT_LEN = 4 * PLACE_LEN, NAME_LEN = 4 * COMM_LEN };

/* Where a server spends its time, by the classes of the ledger. */
static const char *const split_words[LEDGER_CLASSES] = {
	[LEDGER_CPU] = "on the CPU",
	[LEDGER_RUNQUEUE] = "waiting for a processor",
	[LEDGER_STORAGE_READ] = "reading",
	[LEDGER_STORAGE_WRITE] = "writing",
	[LEDGER_STORAGE_META] = "opening and looking up files",
	[LEDGER_STORAGE_FAULT] = "reading mapped files",
	[LEDGER_NETWORK] = "on the network",
	[LEDGER_IPC] = "waiting for another process",
	[LEDGER_LOCK] = "waiting for a lock",
	[LEDGER_GPU] = "waiting for the GPU",
	[LEDGER_SLEEP] = "asleep",
	[LEDGER_OTHER] = "waiting for something else",
};

static const char *name_of(char text[NAME_LEN], const struct served *s)
{
	char raw[COMM_LEN + 1];

	text_copy(raw, sizeof(raw), s->process->comm);
	return text_escape(text, NAME_LEN, raw, TEXT_PLAIN);
}

/* The mount that most of the job's waits for storage were in; "" where it is not known, or not asked for. */
static const char *mount_of(char text[PLACE_TEXT_LEN], const struct evidence *e,
			    const struct served *s)
{
	char raw[PLACE_LEN];

	text[0] = '\0';
	for (size_t i = 0; s->class == CLASS_STORAGE && i < e->where_count; i++)
		if (e->where[i].kind == WHERE_MOUNT) {
			text_copy(raw, sizeof(raw), e->where[i].name);
			return text_escape(text, PLACE_TEXT_LEN, raw, TEXT_PLAIN);
		}
	return text;
}

void show_served_text(FILE *out, const struct evidence *evidence)
{
	for (size_t i = 0; i < evidence->served_count; i++) {
		const struct served *s = &evidence->served[i];
		char mount[PLACE_TEXT_LEN], name[NAME_LEN];
		unsigned int largest = served_largest(s);

		mount_of(mount, evidence, s);
		fprintf(out, "  served: %s: %s%sby %s (%d)", show_class_name(s->class), mount,
			mount[0] ? ", served " : "", name_of(name, s), (int)s->process->pid);
		if (s->split_known)
			fprintf(out, ", %.0f %% of that %s", s->split_pct[largest],
				split_words[largest]);
		fprintf(out, "\n");
	}
}

void show_served_sentence(char *line, size_t size, const struct evidence *evidence,
			  const struct served *served)
{
	char mount[PLACE_TEXT_LEN], name[NAME_LEN];
	const char *place = mount_of(mount, evidence, served);

	if (!place[0])
		place = served->class == CLASS_STORAGE ? "files" :
			served->class == CLASS_NETWORK ? "the network" :
							 "processes outside the job";
	snprintf(line, size, "%.0f %% of the waits for %s %s %s (%d)%s", served->class_pct, place,
		 served->class == CLASS_NETWORK ? "were for a socket whose other end is that of" :
						  "were ended by",
		 name_of(name, served), (int)served->process->pid,
		 served->on_clock || !served->split_known ?
			 "" :
			 "; what it did while the trainer waited is not known");
}

static void add_split(struct json_builder *b, json_t *entry, const struct served *s)
{
	json_t *split;

	if (!s->split_known) {
		json_add_null(b, entry, metrics[M_TIME_PCT].key);
		return;
	}
	split = json_open_object(b, entry, metrics[M_TIME_PCT].key);
	for (unsigned int class = 0; class < LEDGER_CLASSES; class ++)
		if (s->split_pct[class] > 0)
			json_add_real(b, split, metrics[M_CPU + class].key, s->split_pct[class]);
}

void show_served_json(struct json_builder *b, json_t *where, const struct evidence *evidence)
{
	for (size_t i = 0; i < evidence->served_count; i++) {
		const struct served *s = &evidence->served[i];
		json_t *entry = json_open_object(b, where, NULL);
		char name[COMM_LEN + 32];

		snprintf(name, sizeof(name), "%d %.*s", (int)s->process->pid, COMM_LEN,
			 s->process->comm);
		json_add_text(b, entry, metrics[M_KIND].key, "process");
		json_add_text(b, entry, metrics[M_NAME].key, name);
		json_add_count(b, entry, metrics[M_PID].key, (uint64_t)s->process->pid);
		json_add_real(b, entry, metrics[M_PCT].key, s->pct);
		json_add_text(b, entry, metrics[M_ROLE].key, "server");
		json_add_text(b, entry, metrics[M_CLASS].key, show_class_name(s->class));
		json_add_real(b, entry, metrics[M_CLASS_PCT].key, s->class_pct);
		add_split(b, entry, s);
	}
}
