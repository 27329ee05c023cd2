/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why a trainer waits: a pure function of what the model found. No clock, no I/O, no globals. The rules are those of
 * docs/verdict.md.
 */
#ifndef WHYSTALL_JUDGE_JUDGE_H
#define WHYSTALL_JUDGE_JUDGE_H

#include <stdbool.h>

#include "judge/roles.h"
#include "judge/stuck.h"
#include "model/loop.h"

/* Those before BLAME_CLASSES have a part of the blame; a verdict may be any. */
enum verdict_class {
	CLASS_STORAGE,
	CLASS_CPU,
	CLASS_RUNQUEUE,
	CLASS_LOCK,
	CLASS_NETWORK,
	CLASS_GPU,
	CLASS_SLEEP,
	CLASS_PIPELINE,
	CLASS_EXTERNAL, /* waits that were ended by nobody in the job */
	CLASS_OTHER,
	BLAME_CLASSES,
	CLASS_CHECKPOINT = BLAME_CLASSES,
	CLASS_STUCK,
	CLASS_NOT_INPUT_BOUND,
	CLASS_MIXED,
	CLASS_UNKNOWN,
	VERDICT_CLASSES,
};

enum verdict_confidence { CONFIDENCE_LOW, CONFIDENCE_MEDIUM, CONFIDENCE_HIGH };

/* The limits of the classes: of the loop, and of the blame for a class of its own. */
#define VERDICT_LEAST_INPUT_BOUND_PCT 5.0
#define VERDICT_LEAST_BLAME_PCT 60.0

/* Why there is no answer, or only half of one. */
enum verdict_reason {
	REASON_NONE,
	REASON_SHORT,        /* too little time, or too few waits */
	REASON_NO_INPUT,     /* it waits, but for no thread that is seen to make input */
	REASON_SAME_PROCESS, /* threads of its own process make it, and maybe its step */
	REASON_OWN_CPU, /* nobody else makes its data: what it computes for that is not told from its step */
	REASON_NO_MARKER, /* TensorFlow without the function that tells input from step */
	REASON_ENDED,     /* threads ended of which no row was kept */
	REASON_UNCLEAR,   /* most of what it waited for was ended by others than its producers */
	REASON_SAME_LOCK, /* an interpreter lock binds: its waits are not for input alone */
	REASON_NOT_SEEN,  /* without BPF: which threads end its waits */
};

/* How a trainer gets its input. */
enum verdict_input {
	INPUT_NONE,      /* not seen */
	INPUT_PROCESSES, /* from other processes */
	INPUT_THREADS,   /* from threads of its own process */
	INPUT_OWN,       /* it reads itself, without workers */
};

/* A thread that the trainer's waits depend on. */
struct producer {
	pid_t tid, pid;
	double busy_s;               /* of the steady part: all but ipc and lock */
	double own_s[BLAME_CLASSES]; /* that by class, and waits that were ended outside the job */
	double on_clock_s;           /* the same while the trainer waited */
	double locked_s; /* while the trainer waited: it waited for a lock that another producer held */
	double blame_s[BLAME_CLASSES]; /* that by class */
	bool critical;                 /* it worked nearly all of the time that any of them did */
};

struct verdict {
	pid_t pid; /* of the trainer */
	pid_t tid; /* of its thread that runs the loop */
	enum verdict_class class;
	enum verdict_confidence confidence;
	enum verdict_reason reason; /* for CLASS_UNKNOWN */
	double startup_s;           /* of the run, before the steady part */
	enum verdict_class
		startup_class; /* what its process did then: CLASS_UNKNOWN where nothing has most */
	double steady_s;       /* L */
	double waited_s;       /* W, for input */
	bool share_known;      /* else waited_s and input_bound_pct have no meaning */
	double input_bound_pct; /* W of L */
	uint64_t looks;         /* at threads, that it rests on; 0: BPF counted */
	double uncertainty_pct; /* of input_bound_pct, to both sides, 95 %; where there are looks */
	double blame_pct[BLAME_CLASSES]; /* sum up to 100; all 0 where it does not wait */
	unsigned int interval_classes
		[VERDICT_CLASSES]; /* stretches of the steady part, each judged alone */
	enum verdict_input input;
	bool marked; /* the framework's own "next batch" tells what a wait for input is */
	unsigned int frameworks; /* enum framework of collect/sample.h, a bit each */
	bool interpreter_lock;   /* threads of one process keep one processor busy, by turns */
	double interpreter_s;    /* how long these ran */
	unsigned int
		workers; /* processes, or threads of its own, that make its input, idle ones included */
	unsigned int replaced; /* workers that ended in the steady part */
	double cpus;           /* that the job may use */
	double busy_cpus;      /* that the job kept busy, in the steady part, on average */
	double own_write_s; /* the loop's thread: writing and opening files, of the steady part */
	double own_runqueue_s;  /* likewise, waiting for a processor */
	double step_runqueue_s; /* the part of it that is no wait for input */
	double own_cpu_s;       /* likewise, running */
	double overlap_lost;    /* 0: batches are made ahead, 1: trainer and producers take turns */
	struct producer *producers; /* the busiest on the clock first */
	size_t producer_count;
	const struct stuck_finding *finding; /* for CLASS_STUCK: what was found, */
	const struct stuck *stuck;           /* and what of it is about this one */
};

/*
 * Workers at a time. Those that ended were replaced, if there are others; if not, nobody knows how many lived together: 0.
 */
unsigned int verdict_live_workers(const struct verdict *verdict);

/*
 * Judge the steady part of one trainer's run. `cpus`: processors that the job may use. The verdict's
 * producers are of `scratch`. Returns 0 or -ENOMEM.
 */
int judge(struct verdict *verdict, struct scratch *scratch, const struct loop *steady,
	  pid_t trainer, pid_t tid, double cpus);

/* The same for a stretch of it alone, however short. */
int judge_stretch(struct verdict *verdict, struct scratch *scratch, const struct loop *stretch,
		  pid_t trainer, pid_t tid, double cpus);

/*
 * Judge one stretch of a run of which `seen` is all so far, with these roles, for the trainer that waited longest for input: `trainer` or, if
 * that is 0, any. The verdict's producers are of `scratch`. Returns 1, or 0 if there is none whose share is known, or
 * -ENOMEM.
 */
int judge_longest(struct verdict *verdict, struct scratch *scratch, const struct loop *seen,
		  const struct roles *roles, const struct loop *stretch, pid_t trainer,
		  double cpus);

struct verdicts {
	struct scratch scratch; /* of their producers */
	struct verdict *list;
	size_t count;
};

/*
 * Judge each trainer of a run, up to 16 of them, in the order of PIDs, or the one process `only` if that is not 0, in its steady part: from the first to the last of
 * `count` stretches in which it and those who make its input waited for each other again and again. `cpus`: processors that the
 * job may use. Returns 0 or -ENOMEM; free with verdicts_free().
 */
int judge_all(struct verdicts *verdicts, const struct loop *stretches, size_t count, pid_t only,
	      double cpus);

/*
 * A trainer that is stuck at the end of the run is that, whatever it was before; one that had no verdict gets one, and those of
 * which nothing was known are dropped. `finding` must
 * live as long as the verdicts. Returns 0 or -ENOMEM.
 */
int judge_stuck(struct verdicts *verdicts, const struct stuck_finding *finding);

void verdicts_free(struct verdicts *verdicts);

#endif
