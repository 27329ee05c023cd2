// SPDX-License-Identifier: BSD-2-Clause
#include "show/stuck.h"

#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"
#include "show/metrics.h"

enum {
	NAME_LEN = 4 * COMM_LEN + 16,
	OBJECT_LEN = 2 * WAIT_OBJECT_LEN,
	WAY_LINES = 8, /* waits on the way to the end, a line each */
	SHM_FULL_PCT = 95,
};

__attribute__((format(printf, 2, 3))) static void add(struct evidence *e, const char *format, ...)
{
	va_list args;

	if (e->count == EVIDENCE_MOST)
		return;
	va_start(args, format);
	vsnprintf(e->lines[e->count++], SENTENCE_LEN, format, args);
	va_end(args);
}

/* "4711 python3" */
static const char *name_of(char text[NAME_LEN], pid_t id, const char *comm)
{
	char escaped[4 * COMM_LEN + 1];

	snprintf(text, NAME_LEN, "%d %s", id,
		 text_escape(escaped, sizeof(escaped), comm, TEXT_PLAIN));
	return text;
}

static const char *thread_name(char text[NAME_LEN], const struct wait_thread *t)
{
	return name_of(text, t->tid, t->comm);
}

/* Those that the ledger could not tell when it met them asleep, by what was found out since. */
static enum ledger_state class_of(const struct wait_thread *t)
{
	switch ((int)t->class) {
	case LEDGER_FSYNC:
	case LEDGER_DIRTY_LIMIT:
		return LEDGER_STORAGE_WRITE;
	case LEDGER_SEND:
		return LEDGER_IPC;
	case LEDGER_OTHER:
		if (!wait_is_stopped(t) && t->ends & ENDS_HOLDERS && !(t->ends & ENDS_OUTSIDE))
			return LEDGER_IPC;
		return LEDGER_OTHER;
	default:
		return t->class < LEDGER_CLASSES ? t->class : LEDGER_OTHER;
	}
}

/* "read of /data/file", "futex 0x7f...", "wait4" */
static const char *describe_wait(char *text, size_t size, const struct wait_thread *t)
{
	const char *call = t->call >= 0 ? waits_call_name(t->call) : NULL;
	char object[OBJECT_LEN];

	text_escape(object, sizeof(object), t->object, TEXT_PLAIN);
	if (wait_is_stopped(t))
		snprintf(text, size, "%s", t->state == 't' ? "held by a debugger" : "stopped");
	else if (t->kind == WAIT_MUTEX || t->kind == WAIT_JOIN)
		snprintf(text, size, "%s (%s)",
			 t->kind == WAIT_MUTEX ? "a mutex" : "the end of a thread", object);
	else if (t->call >= 0 && !call)
		snprintf(text, size, "system call %d", t->call);
	else if (t->call < 0)
		snprintf(text, size, "a page of memory");
	else if (t->kind == WAIT_FUTEX || !object[0])
		snprintf(text, size, "%s", object[0] ? object : call);
	else
		snprintf(text, size, "%s of %s", call, object);
	return text;
}

static void add_way(struct evidence *e, const struct waits *w, const struct stuck *s)
{
	size_t count = s->way + (s->cycle ? s->cycle - 1 : 0);

	for (size_t i = 0; i < count && i < s->wait_count && i < WAY_LINES; i++) {
		const struct wait_thread *t = &w->threads[s->waits[i].thread];
		char name[NAME_LEN], wait[OBJECT_LEN + 64], waits_for[64] = "";

		if (wait_is_stopped(t))
			continue; /* its end tells that */
		if (s->waits[i].waits_for_tid)
			snprintf(waits_for, sizeof(waits_for), ", for thread %d",
				 s->waits[i].waits_for_tid);
		add(e, "%s has waited %.1f s in %s%s", thread_name(name, t),
		    duration_seconds(t->asleep_ns), describe_wait(wait, sizeof(wait), t),
		    waits_for);
	}
}

static void add_cycle(struct evidence *e, const struct waits *w, const struct stuck *s)
{
	char line[SENTENCE_LEN] = "", name[NAME_LEN];

	for (size_t i = 0; i < s->cycle && s->cycle_first + i < s->wait_count; i++) {
		const struct stuck_wait *wait = &s->waits[s->cycle_first + i];
		size_t used = strlen(line);

		snprintf(line + used, sizeof(line) - used, "%s waits for %d, ",
			 thread_name(name, &w->threads[wait->thread]), wait->waits_for_tid);
	}
	add(e, "a cycle: %.900swhich nothing ends", line);
}

static void add_gone(struct evidence *e, const struct waits *w, const struct wait_gone *gone)
{
	char name[NAME_LEN];

	name_of(name, gone->pid, gone->comm);
	if (gone->signal)
		add(e, "process %s is gone: killed by signal %d (%s)", name, gone->signal,
		    strsignal(gone->signal));
	else
		add(e, "process %s is gone: it exited with status %d", name, gone->status);
	if (w->shm_full_pct >= SHM_FULL_PCT)
		add(e, "/dev/shm is full (%d %%)", w->shm_full_pct);
}

static void add_file(struct evidence *e, const struct wait_thread *t)
{
	char name[NAME_LEN], wait[OBJECT_LEN + 64], mount[OBJECT_LEN], type[128];

	text_escape(mount, sizeof(mount), t->mount, TEXT_PLAIN);
	text_escape(type, sizeof(type), t->file_system, TEXT_PLAIN);
	thread_name(name, t);
	describe_wait(wait, sizeof(wait), t);
	if (mount[0])
		add(e, "%s of %s has not come back: %s, mounted on %s, does not answer", wait, name,
		    type, mount);
	else
		add(e, "%s of %s has not come back: storage does not answer", wait, name);
}

/* They ended when the silence began: what they were to do may be what is waited for. */
static void add_reaped(struct evidence *e, const struct waits *w)
{
	for (size_t i = 0; i < w->gone_count; i++) {
		const struct wait_gone *gone = &w->gone[i];
		char name[NAME_LEN];

		if (gone->reaped)
			add(e,
			    "process %s ended %.1f s ago: what it was to do may be what is waited for",
			    name_of(name, gone->pid, gone->comm), duration_seconds(gone->ago_ns));
	}
}

static void add_end(struct evidence *e, const struct waits *w, const struct stuck *s)
{
	const struct wait_thread *t = &w->threads[s->end_thread];
	char name[NAME_LEN];

	switch (s->end) {
	case END_CYCLE:
		add_cycle(e, w, s);
		return;
	case END_OWNER_GONE:
		add(e,
		    "thread %d held the mutex that %s waits for, and has ended without giving it back",
		    t->waker, thread_name(name, t));
		return;
	case END_STOPPED:
		add(e, "%s is %s", thread_name(name, t),
		    t->state == 't' ? "held by a debugger" : "stopped (SIGSTOP, or Ctrl-Z)");
		return;
	case END_FILE:
		add_file(e, t);
		return;
	case END_GONE:
		add_gone(e, w, &w->gone[s->end_thread]);
		return;
	case END_NOBODY:
		add(e,
		    "all who could end this wait too, for one another or for what never came: %zu thread%s",
		    s->wait_count, s->wait_count == 1 ? "" : "s");
		add_reaped(e, w);
	}
}

void stuck_describe(struct evidence *evidence, const struct stuck_finding *finding,
		    const struct stuck *stuck)
{
	add(evidence, "no thread of the job has done anything for %.1f s",
	    duration_seconds(finding->silent_ns));
	add_way(evidence, finding->waits, stuck);
	add_end(evidence, finding->waits, stuck);
}

bool stuck_advise(struct advice_words *words, const struct verdict *v)
{
	struct evidence e = { 0 };
	const struct wait_thread *t;
	const struct waits *w;

	if (!v->stuck)
		return false;
	w = v->finding->waits;
	t = &w->threads[v->stuck->end_thread];
	add_end(&e, w, v->stuck);
	if (e.count)
		text_copy(words->because, sizeof(words->because), e.lines[0]);
	switch (v->stuck->end) {
	case END_STOPPED:
		if (t->state == 't')
			snprintf(words->what, sizeof(words->what), "let the debugger go of %d",
				 t->pid);
		else
			snprintf(words->what, sizeof(words->what), "let it go on: kill -CONT %d",
				 t->pid);
		return true;
	case END_GONE:
		snprintf(
			words->what, sizeof(words->what),
			"start the job again, and see why this process ended: the kernel's log tells "
			"whether memory ran out");
		return true;
	case END_CYCLE:
		snprintf(words->what, sizeof(words->what),
			 "take these locks in the same order everywhere");
		return true;
	case END_OWNER_GONE:
		snprintf(words->what, sizeof(words->what), "give locks back before a thread ends");
		return true;
	case END_FILE:
		if (strncmp(t->file_system, "fuse", 4) == 0)
			snprintf(
				words->what, sizeof(words->what),
				"look after the program that serves it; "
				"echo 1 > /sys/fs/fuse/connections/%u/abort ends its waits with errors",
				t->mount_minor);
		else
			snprintf(words->what, sizeof(words->what),
				 "look after the server or the device of this file system");
		return true;
	default:
		return false;
	}
}

void show_stuck_text(FILE *out, const struct verdict *verdict)
{
	if (!verdict->stuck)
		return;
	fprintf(out, "  %8s %-15s %-13s %8s  %9s  %s\n", metrics[M_TID].heading,
		metrics[M_COMM].heading, metrics[M_CLASS].heading, metrics[M_SINCE_S].heading,
		metrics[M_WAITS_FOR_TID].heading, metrics[M_OBJECT].heading);
	for (size_t i = 0; i < verdict->stuck->wait_count; i++) {
		const struct stuck_wait *wait = &verdict->stuck->waits[i];
		const struct wait_thread *t = &verdict->finding->waits->threads[wait->thread];
		char comm[4 * COMM_LEN + 1], text[OBJECT_LEN + 64], waits_for[16] = "-";

		if (wait->waits_for_tid)
			snprintf(waits_for, sizeof(waits_for), "%d", wait->waits_for_tid);
		fprintf(out, "  %8d %-15s %-13s %8.1f  %9s  %s\n", t->tid,
			text_escape(comm, sizeof(comm), t->comm, TEXT_PLAIN),
			metrics[M_CPU + class_of(t)].key, duration_seconds(t->asleep_ns), waits_for,
			describe_wait(text, sizeof(text), t));
	}
}

static void add_text_or_null(struct json_builder *b, json_t *row, enum metric metric,
			     const char *text)
{
	if (text && text[0])
		json_add_text(b, row, metrics[metric].key, text);
	else
		json_add_null(b, row, metrics[metric].key);
}

void show_stuck_json(struct json_builder *b, json_t *verdict_row, const struct verdict *verdict)
{
	json_t *list = json_open_array(b, verdict_row, metrics[M_WAITS].key);

	for (size_t i = 0; verdict->stuck && i < verdict->stuck->wait_count; i++) {
		const struct stuck_wait *wait = &verdict->stuck->waits[i];
		const struct wait_thread *t = &verdict->finding->waits->threads[wait->thread];
		json_t *row = json_open_object(b, list, NULL);

		json_add_count(b, row, metrics[M_TID].key, (uint64_t)t->tid);
		json_add_text(b, row, metrics[M_COMM].key, t->comm);
		json_add_text(b, row, metrics[M_CLASS].key, metrics[M_CPU + class_of(t)].key);
		json_add_real(b, row, metrics[M_SINCE_S].key, duration_seconds(t->asleep_ns));
		add_text_or_null(b, row, M_SYSCALL, t->call >= 0 ? waits_call_name(t->call) : NULL);
		add_text_or_null(b, row, M_OBJECT, t->object);
		if (wait->waits_for_tid)
			json_add_count(b, row, metrics[M_WAITS_FOR_TID].key,
				       (uint64_t)wait->waits_for_tid);
		else
			json_add_null(b, row, metrics[M_WAITS_FOR_TID].key);
	}
}
