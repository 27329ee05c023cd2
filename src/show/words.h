/* SPDX-License-Identifier: BSD-2-Clause */
/* Sentences about a verdict. Names in them are escaped for a terminal. Used by show/verdict.c. */
#ifndef WHYSTALL_SHOW_WORDS_H
#define WHYSTALL_SHOW_WORDS_H

#include "judge/advice.h"
#include "judge/judge.h"
#include "judge/served.h"
#include "judge/where.h"
#include "model/report.h"

enum { SENTENCE_LEN = 1024, EVIDENCE_MOST = 16 };

/* By enum verdict_reason. */
extern const char *const reason_words[];

struct evidence {
	char lines[EVIDENCE_MOST][SENTENCE_LEN];
	size_t count;
	struct where where[WHERE_MOST];
	size_t where_count;
	struct served served[MAX_SERVERS];
	size_t served_count;
};

/* The figures behind a verdict, a line each, and where its waits were. */
void evidence_collect(struct evidence *evidence, const struct verdict *verdict,
		      const struct report *report);

struct advice_words {
	char what[SENTENCE_LEN], because[SENTENCE_LEN];
};

/* In the terms of the framework that the trainer uses. */
void advice_describe(struct advice_words *words, const struct advice *advice,
		     const struct verdict *verdict);

/* The same of ADVICE_CACHE; `copying` is how to copy the data into memory. */
void dataset_describe(struct advice_words *words, const struct advice *advice, const char *copying);

#endif
