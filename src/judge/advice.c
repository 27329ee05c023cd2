// SPDX-License-Identifier: BSD-2-Clause
#include "judge/advice.h"

#include <math.h>

#include "base/units.h"
#include "judge/reads.h"
#include "judge/where.h"

static const double idle_below = 0.9;    /* of the processors: some are idle */
static const double least_part_pct = 30; /* of the blame, for one of several causes */
static const double least_lost = 0.5;    /* of the overlap */
static const double above_block = 2;     /* waits of what the requests took */
static const double small_file_bytes = 256 << 10, small_read_bytes = 64 << 10;
static const double least_opening = 0.01, much_opening = 0.3; /* of the waits for storage */
static const uint64_t fewest_requests = 100;

enum { MANY_FILES = 100, FEWEST_REPLACED = 2 };

struct adviser {
	struct advice *list;
	size_t count;
	const struct verdict *verdict;
	const struct report *report;
	struct dataset_judged dataset;
};

static void advise(struct adviser *a, enum advice_kind kind, enum verdict_class cause,
		   double figure, double other_figure)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->list[i].kind == kind)
			return;
	if (a->count < ADVICE_MOST)
		a->list[a->count++] = (struct advice){ .kind = kind,
						       .cause = cause,
						       .figure = figure,
						       .other_figure = other_figure,
						       .dataset = a->dataset };
}

/* What the processes that a verdict blames did with storage. */
struct storage {
	double waits_s, opening_s;
	double on_device_s, elsewhere_s; /* of the waits whose file is known */
	double requests_s;               /* Q to C */
	size_t files;                    /* waited for, or moved */
	size_t moved;
	double moved_bytes;
	uint64_t requests; /* reads */
	double read_bytes;
};

static void add_files(struct storage *s, const struct verdict *v, const struct process_report *p)
{
	for (size_t i = 0; i < p->file_count; i++) {
		const struct file_report *file = &p->files[i];
		double wait_s = duration_seconds(where_file_wait_ns(v, p, file));

		s->files += file->bytes || wait_s > 0;
		s->moved += file->bytes != 0;
		s->moved_bytes += (double)file->bytes;
		s->opening_s +=
			duration_seconds(file->kind_ns[LEDGER_STORAGE_META - LEDGER_STORAGE_READ]);
		if (file->device_name[0])
			s->on_device_s += wait_s;
		else
			s->elsewhere_s += wait_s;
	}
}

static struct storage look_at_storage(const struct adviser *a)
{
	struct storage s = { 0 };

	for (size_t i = 0; i < a->report->process_count; i++) {
		const struct process_report *p = &a->report->processes[i];

		if (!where_is_blamed(a->verdict, p))
			continue;
		s.waits_s += duration_seconds(where_storage_ns(a->verdict, p));
		s.requests_s += p->block_s;
		add_files(&s, a->verdict, p);
		for (size_t k = 0; k < p->io_count; k++) {
			if (p->io[k].key.op != IO_READ || p->io[k].key.lower)
				continue;
			s.requests += p->io[k].requests;
			s.read_bytes += (double)p->io[k].bytes;
		}
	}
	return s;
}

/* On a device whose requests do not explain the waits: something holds them back. */
static bool is_held_back(const struct adviser *a, const struct storage *s)
{
	return a->report->above_block && s->on_device_s > s->elsewhere_s &&
	       s->waits_s > above_block * s->requests_s;
}

/* Many, opened one by one. That few bytes of each were read does not show that they are small: they could be large ones. */
static void advise_packing(struct adviser *a, const struct storage *s)
{
	double mean = s->moved ? s->moved_bytes / (double)s->moved : 0;
	bool small = s->moved > MANY_FILES && mean < small_file_bytes &&
		     s->opening_s >= least_opening * s->waits_s;

	if (s->files > MANY_FILES && (small || s->opening_s >= much_opening * s->waits_s))
		advise(a, ADVICE_PACK_FILES, CLASS_STORAGE, (double)s->files, small ? mean : 0);
}

/* Do workers wait for processors already? */
static bool is_crowded(const struct verdict *v)
{
	return v->blame_pct[CLASS_RUNQUEUE] >= least_part_pct;
}

/* tf.data's threads: their own parallelism, and no interpreter's lock. */
static bool reads_in_threads(const struct verdict *v)
{
	return v->input == INPUT_THREADS && v->frameworks & FRAMEWORK_TENSORFLOW;
}

/* It reads beside workers that it has: what, and whether these could, is not known. */
static void advise_workers(struct adviser *a, enum verdict_class cause)
{
	if (!a->verdict->workers)
		advise(a, ADVICE_ADD_WORKERS, cause, a->verdict->waited_s, a->verdict->steady_s);
}

static void advise_more_reads(struct adviser *a)
{
	const struct verdict *v = a->verdict;
	struct reads reads;
	bool known = reads_compare(&reads, v, a->report);

	if (known && reads_serve_more(&reads) && v->input != INPUT_OWN && !is_crowded(v))
		advise(a, reads_in_threads(v) ? ADVICE_PARALLEL_READS : ADVICE_MORE_WORKERS,
		       CLASS_STORAGE, reads.alone_s, reads.beside_s);
	else if (known && !reads_serve_more(&reads))
		advise(a, ADVICE_FASTER_STORAGE, CLASS_STORAGE, reads.alone_s, reads.beside_s);
	else if (!a->dataset.fits_known || a->dataset.fits)
		/* Else ADVICE_CACHE says so. */
		advise(a, ADVICE_FASTER_STORAGE, CLASS_STORAGE, 0, 0);
}

static void advise_on_storage(struct adviser *a)
{
	const struct verdict *v = a->verdict;
	struct storage s = look_at_storage(a);
	bool held = is_held_back(a, &s);

	if (v->input == INPUT_OWN)
		advise_workers(a, CLASS_STORAGE);
	if (held)
		advise(a, ADVICE_RAISE_LIMIT, CLASS_STORAGE, s.requests_s, s.waits_s);
	if (a->dataset.fits_known)
		advise(a, ADVICE_CACHE, CLASS_STORAGE, 0, 0);
	advise_packing(a, &s);
	if (s.on_device_s > s.elsewhere_s && s.files <= MANY_FILES &&
	    s.requests >= fewest_requests && s.read_bytes / (double)s.requests < small_read_bytes)
		advise(a, ADVICE_READ_AHEAD, CLASS_STORAGE, s.read_bytes / (double)s.requests,
		       (double)s.files);
	if (!held)
		advise_more_reads(a);
}

/* Where workers are processes, more of them do nothing for a stage behind them. */
static bool is_bound_inside(const struct verdict *v)
{
	for (size_t i = 0; i < v->producer_count; i++)
		if (v->producers[i].critical && v->producers[i].pid != v->pid)
			return false;
	return v->input == INPUT_PROCESSES && v->producer_count;
}

static bool shares_interpreter(const struct verdict *v)
{
	return v->interpreter_lock ||
	       (v->input == INPUT_THREADS && v->frameworks & FRAMEWORK_PYTHON &&
		!(v->frameworks & (FRAMEWORK_TENSORFLOW | FRAMEWORK_DALI)));
}

static void advise_on_runqueue(struct adviser *a)
{
	const struct verdict *v = a->verdict;
	unsigned int workers = verdict_live_workers(v);
	/* The trainer needs one, too. */
	bool own = v->own_runqueue_s > v->waited_s && workers >= v->cpus;

	if (v->cpus <= 0 || (v->workers && !workers))
		return;
	/* Others take them, or a limit keeps the job from them: fewer workers would not help. */
	if (v->busy_cpus < idle_below * v->cpus)
		advise(a, ADVICE_MORE_PROCESSORS, CLASS_RUNQUEUE, v->busy_cpus, v->cpus);
	else if (workers > v->cpus || own)
		advise(a, ADVICE_FEWER_WORKERS, CLASS_RUNQUEUE, workers, v->cpus);
	else
		advise(a, ADVICE_LESS_CPU, CLASS_RUNQUEUE, fmin(v->busy_cpus, v->cpus), v->cpus);
}

static void advise_on_cpu(struct adviser *a)
{
	const struct verdict *v = a->verdict;

	if (shares_interpreter(v))
		advise(a, ADVICE_PROCESSES, CLASS_CPU, 0, 0);
	else if (is_crowded(v))
		advise_on_runqueue(a);
	else if (v->cpus <= 0 || is_bound_inside(v))
		; /* nothing that is known to help */
	else if (v->busy_cpus >= idle_below * v->cpus)
		advise(a, ADVICE_LESS_CPU, CLASS_CPU, fmin(v->busy_cpus, v->cpus), v->cpus);
	else if (v->input == INPUT_OWN)
		advise_workers(a, CLASS_CPU);
	else
		advise(a, ADVICE_MORE_WORKERS, CLASS_CPU, v->busy_cpus, v->cpus);
}

static void advise_on_pipeline(struct adviser *a)
{
	const struct verdict *v = a->verdict;

	if (v->input == INPUT_OWN)
		advise_workers(a, CLASS_PIPELINE);
	else if (v->overlap_lost >= least_lost)
		advise(a, ADVICE_PREFETCH, CLASS_PIPELINE, v->overlap_lost, 0);
}

static void advise_on_lock(struct adviser *a)
{
	if (shares_interpreter(a->verdict))
		advise(a, ADVICE_PROCESSES, CLASS_LOCK, 0, 0);
	else
		advise(a, ADVICE_NO_LOCK, CLASS_LOCK, a->verdict->blame_pct[CLASS_LOCK], 0);
}

static void advise_on_network(struct adviser *a)
{
	const struct verdict *v = a->verdict;

	if (v->input == INPUT_OWN)
		advise_workers(a, CLASS_NETWORK);
	else
		advise(a, ADVICE_CONNECTIONS, CLASS_NETWORK, v->blame_pct[CLASS_NETWORK], 0);
}

static void advise_on_checkpoint(struct adviser *a)
{
	advise(a, ADVICE_MOVE_CHECKPOINTS, CLASS_CHECKPOINT, a->verdict->own_write_s,
	       a->verdict->steady_s);
}

/* By class; one without a function has no advice. */
static void (*const advise_on[VERDICT_CLASSES])(struct adviser *) = {
	[CLASS_STORAGE] = advise_on_storage,       [CLASS_CPU] = advise_on_cpu,
	[CLASS_RUNQUEUE] = advise_on_runqueue,     [CLASS_LOCK] = advise_on_lock,
	[CLASS_NETWORK] = advise_on_network,       [CLASS_PIPELINE] = advise_on_pipeline,
	[CLASS_CHECKPOINT] = advise_on_checkpoint,
};

/* On each cause with a large part, the largest first. */
static void advise_on_parts(struct adviser *a)
{
	bool done[BLAME_CLASSES] = { false };

	for (;;) {
		int largest = -1;

		for (int class = 0; class < BLAME_CLASSES; class ++)
			if (!done[class] && a->verdict->blame_pct[class] >= least_part_pct &&
			    (largest < 0 ||
			     a->verdict->blame_pct[class] > a->verdict->blame_pct[largest]))
				largest = class;
		if (largest < 0)
			return;
		done[largest] = true;
		if (advise_on[largest])
			advise_on[largest](a);
	}
}

/* When all ended it may have been the end of the run. */
static void advise_on_replaced(struct adviser *a)
{
	const struct verdict *v = a->verdict;

	/* More than the end of one epoch. */
	if (v->replaced >= FEWEST_REPLACED && v->replaced >= 2 * verdict_live_workers(v) &&
	    verdict_live_workers(v) && v->input == INPUT_PROCESSES)
		advise(a, ADVICE_PERSISTENT_WORKERS, v->class, v->replaced, 0);
}

size_t advice_find(struct advice list[ADVICE_MOST], const struct verdict *verdict,
		   const struct report *report)
{
	struct adviser a = { .list = list, .verdict = verdict, .report = report };

	if (verdict->class == CLASS_UNKNOWN || verdict->class == CLASS_NOT_INPUT_BOUND ||
	    verdict->class == CLASS_STUCK)
		return 0;
	dataset_judge(&a.dataset, verdict, report);
	if (verdict->class == CLASS_PIPELINE)
		advise_on_replaced(&a);
	if (verdict->class == CLASS_MIXED)
		advise_on_parts(&a);
	else if (advise_on[verdict->class])
		advise_on[verdict->class](&a);
	/* A checkpoint is not the workers' fault, and the loop's own waits for a processor hardly. */
	if (verdict->class < BLAME_CLASSES || verdict->class == CLASS_MIXED)
		advise_on_replaced(&a);
	return a.count;
}

/* The what-if that it rests on; CHANGES: none. */
static enum what_if_change change_of(const struct advice *advice)
{
	switch (advice->kind) {
	case ADVICE_MORE_WORKERS:
	case ADVICE_PARALLEL_READS:
		return CHANGE_WORKERS_X2;
	case ADVICE_PREFETCH:
		return CHANGE_PREFETCH;
	case ADVICE_NO_LOCK:
		return CHANGE_LOCK;
	case ADVICE_MORE_PROCESSORS:
		return CHANGE_RUNQUEUE;
	case ADVICE_RAISE_LIMIT:
	case ADVICE_PACK_FILES:
	case ADVICE_READ_AHEAD:
	case ADVICE_FASTER_STORAGE:
	case ADVICE_CACHE:
		return CHANGE_STORAGE;
	case ADVICE_LESS_CPU:
		return CHANGE_CPU;
	case ADVICE_MOVE_CHECKPOINTS:
		return CHANGE_CHECKPOINT;
	case ADVICE_CONNECTIONS:
		return CHANGE_NETWORK;
	default:
		return CHANGES;
	}
}

size_t advice_rate(struct advice list[ADVICE_MOST], size_t count, const struct what_ifs *what_ifs)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		const struct what_if *told = what_if_of(what_ifs, change_of(&list[i]));
		struct advice next = list[i];
		size_t at = left;

		next.speedup = told ? told->speedup : 0;
		if (told && told->speedup < WHAT_IF_LEAST_GAIN && !told->at_least)
			continue;
		for (; at && list[at - 1].speedup < next.speedup; at--)
			list[at] = list[at - 1];
		list[at] = next;
		left++;
	}
	return left;
}
