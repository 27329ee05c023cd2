// SPDX-License-Identifier: BSD-2-Clause
#include "judge/advice.h"

#include <stdio.h>

#include "base/text.h"
#include "base/units.h"
#include "collect/sample.h"
#include "show/words.h"

/* Whose terms are used. */
enum dialect { DIALECT_ANY, DIALECT_PYTORCH, DIALECT_TENSORFLOW, DIALECTS };

/* What to do; NULL: as for any other framework. */
static const char *const what_words[ADVICE_KINDS][DIALECTS] = {
	[ADVICE_MORE_WORKERS] = { "use more workers", "raise DataLoader(num_workers=...)",
				  "Dataset.map(..., num_parallel_calls=tf.data.AUTOTUNE)" },
	[ADVICE_PARALLEL_READS] = { "read several files at once", NULL,
				    "Dataset.interleave(..., num_parallel_calls=tf.data.AUTOTUNE)" },
	[ADVICE_ADD_WORKERS] = { "make batches in worker processes, ahead of the step",
				 "DataLoader(num_workers=1) or more",
				 "Dataset.prefetch(tf.data.AUTOTUNE)" },
	[ADVICE_PREFETCH] = { "make batches ahead: a queue of two or more between workers and step",
			      "DataLoader(prefetch_factor=2, pin_memory=True) or more ahead",
			      "Dataset.prefetch(tf.data.AUTOTUNE)" },
	[ADVICE_PROCESSES] = { "use processes instead of threads for the input",
			       "processes instead of threads: DataLoader(num_workers=...)", NULL },
	[ADVICE_NO_LOCK] = { "let workers work at the same time: a file, shard or connection for each, and no lock around the read" },
	[ADVICE_FEWER_WORKERS] = { "use fewer workers, no more than processors",
				   "fewer workers, no more than processors: lower DataLoader(num_workers=...)",
				   "fewer threads, no more than processors: Options().threading.private_threadpool_size" },
	[ADVICE_MORE_PROCESSORS] = { "give the job more processors: look for a limit of its control group (cpu.max), and for other programs on this host" },
	[ADVICE_PERSISTENT_WORKERS] = { "keep workers from epoch to epoch",
					"DataLoader(persistent_workers=True)", NULL },
	[ADVICE_RAISE_LIMIT] = { "look for an I/O limit of the job's control group (io.max, blkio.throttle) and raise it" },
	[ADVICE_PACK_FILES] = { "pack small files into few large ones (tar, LMDB, Parquet)",
				"pack small files into few large ones (WebDataset's tar, LMDB)",
				"pack small files into TFRecord files" },
	[ADVICE_READ_AHEAD] = { "read larger pieces in the order of the file, and shuffle in memory",
				NULL,
				"read larger pieces in the order of the file, and Dataset.shuffle() in memory" },
	[ADVICE_FASTER_STORAGE] = { "move the data to faster storage, or cache it where it fits into memory",
				    NULL,
				    "move the data to faster storage, or Dataset.cache() it where it fits into memory" },
	[ADVICE_LESS_CPU] = { "make preprocessing cheaper: do it once, beforehand, or on the accelerator",
			      NULL,
			      "make preprocessing cheaper: do it once, beforehand, or Dataset.cache() its result" },
	[ADVICE_MOVE_CHECKPOINTS] = { "write checkpoints from another thread, less often, or to faster storage",
				      "torch.distributed.checkpoint.async_save, fewer checkpoints, or faster storage",
				      NULL },
	[ADVICE_CONNECTIONS] = { "make more requests at once, for larger objects",
				 "more requests at once, for larger objects: raise DataLoader(num_workers=...)",
				 "more requests at once, for larger objects: Dataset.interleave(..., num_parallel_calls=tf.data.AUTOTUNE)" },
};

static const char *const copying_words[DIALECTS] = {
	[DIALECT_ANY] = "copy it to a tmpfs once",
	[DIALECT_PYTORCH] = "copy it to a tmpfs once",
	[DIALECT_TENSORFLOW] = "Dataset.cache() it as it is read",
};

static const char *const faster_alone[DIALECTS] = { "move the data to faster storage" };

/*
 * What is loaded is not always what is used: TensorFlow comes with other programs too. Its input is made in threads, a
 * DataLoader's in processes.
 */
static enum dialect dialect_of(const struct verdict *v, enum advice_kind kind)
{
	bool torch = v->frameworks & FRAMEWORK_PYTORCH;
	bool tensorflow = v->frameworks & FRAMEWORK_TENSORFLOW;

	if (v->frameworks & FRAMEWORK_DALI && v->marked && !tensorflow)
		return DIALECT_ANY;
	if (tensorflow && (v->input == INPUT_THREADS || v->marked || !torch))
		return v->input == INPUT_PROCESSES && !v->marked ? DIALECT_ANY : DIALECT_TENSORFLOW;
	/* Threads of a PyTorch program are no DataLoader's. */
	return torch && (v->input != INPUT_THREADS || kind == ADVICE_PROCESSES ||
			 kind == ADVICE_MOVE_CHECKPOINTS) ?
		       DIALECT_PYTORCH :
		       DIALECT_ANY;
}

static void describe_what(char *line, const struct advice *advice, const struct verdict *v)
{
	/* Whether it fits is another advice's matter then. */
	const char *const *words =
		advice->kind == ADVICE_FASTER_STORAGE && advice->dataset.fits_known ?
			faster_alone :
			what_words[advice->kind];
	enum dialect dialect = dialect_of(v, advice->kind);
	bool fewer = advice->kind == ADVICE_FEWER_WORKERS;
	/* Those that were replaced are counted, too. */
	bool counted = fewer || (advice->kind == ADVICE_MORE_WORKERS && v->workers && !v->replaced);

	if (!words[dialect])
		dialect = DIALECT_ANY;
	if (counted && dialect != DIALECT_TENSORFLOW)
		snprintf(line, SENTENCE_LEN, "%s (%.0f now)", words[dialect],
			 fewer ? advice->figure : v->workers);
	else
		text_copy(line, SENTENCE_LEN, words[dialect]);
}

static const char *time_text(char text[32], double seconds)
{
	return duration_format(text, 32, seconds * NS_PER_S);
}

/* Why more of them would be served, or not. */
static void because_of_reads(char *line, const struct advice *a, const struct verdict *v)
{
	char alone[32], beside[32];

	if (a->figure <= 0)
		snprintf(line, SENTENCE_LEN, "%.0f %% of the waits are for storage",
			 v->blame_pct[CLASS_STORAGE]);
	else
		snprintf(line, SENTENCE_LEN,
			 "reads took %s alone and %s beside others, so it serves %s",
			 time_text(alone, a->figure), time_text(beside, a->other_figure),
			 a->kind == ADVICE_FASTER_STORAGE ? "no more at the same time" :
							    "more at the same time");
}

static void because_of_files(char *line, const struct advice *a)
{
	char bytes[32];

	if (a->other_figure > 0)
		snprintf(line, SENTENCE_LEN, "%.0f files were read, %s of each on average",
			 a->figure, bytes_format(bytes, sizeof(bytes), (uint64_t)a->other_figure));
	else
		snprintf(line, SENTENCE_LEN,
			 "%.0f files were waited for, and much of that was looking them up",
			 a->figure);
}

static void describe_because(char *line, const struct advice *a, const struct verdict *v)
{
	char text[32];

	switch (a->kind) {
	case ADVICE_MORE_WORKERS:
		if (a->cause == CLASS_CPU)
			snprintf(line, SENTENCE_LEN,
				 "workers compute, and the job uses %.1f of %.0f processors",
				 a->figure, a->other_figure);
		else
			because_of_reads(line, a, v);
		break;
	case ADVICE_PARALLEL_READS:
	case ADVICE_FASTER_STORAGE:
		because_of_reads(line, a, v);
		break;
	case ADVICE_ADD_WORKERS:
		if (v->share_known)
			snprintf(line, SENTENCE_LEN,
				 "it makes its batches itself, in %.1f of %.1f s", a->figure,
				 a->other_figure);
		else
			text_copy(line, SENTENCE_LEN, "it makes its batches itself");
		break;
	case ADVICE_PREFETCH:
		snprintf(line, SENTENCE_LEN,
			 "trainer and workers take turns: %.0f %% of what could overlap does not",
			 100 * a->figure);
		break;
	case ADVICE_PROCESSES:
		text_copy(line, SENTENCE_LEN,
			  "an interpreter's lock lets one of its threads run at a time");
		break;
	case ADVICE_NO_LOCK:
		snprintf(line, SENTENCE_LEN, "workers waited for one another in %.0f %% of it",
			 a->figure);
		break;
	case ADVICE_FEWER_WORKERS:
		snprintf(line, SENTENCE_LEN, "%.0f workers share %.0f processors, and wait for one",
			 a->figure, a->other_figure);
		break;
	case ADVICE_MORE_PROCESSORS:
		snprintf(line, SENTENCE_LEN,
			 "threads wait for a processor while the job keeps %.1f of %.0f busy",
			 a->figure, a->other_figure);
		break;
	case ADVICE_PERSISTENT_WORKERS:
		snprintf(line, SENTENCE_LEN, "%.0f workers ended in %.1f s", a->figure,
			 v->steady_s);
		break;
	case ADVICE_RAISE_LIMIT:
		snprintf(line, SENTENCE_LEN,
			 "workers waited %.1f s for a disk whose requests took %.1f s",
			 a->other_figure, a->figure);
		break;
	case ADVICE_PACK_FILES:
		because_of_files(line, a);
		break;
	case ADVICE_READ_AHEAD:
		snprintf(line, SENTENCE_LEN, "reads of %.0f file%s moved %s each on average",
			 a->other_figure, a->other_figure > 1 ? "s" : "",
			 bytes_format(text, sizeof(text), (uint64_t)a->figure));
		break;
	case ADVICE_LESS_CPU:
		snprintf(line, SENTENCE_LEN, "%.1f of %.0f processors are busy", a->figure,
			 a->other_figure);
		break;
	case ADVICE_MOVE_CHECKPOINTS:
		snprintf(line, SENTENCE_LEN, "it wrote and opened files for %.1f of %.1f s",
			 a->figure, a->other_figure);
		break;
	case ADVICE_CONNECTIONS:
		snprintf(line, SENTENCE_LEN, "%.0f %% of the waits are for the network", a->figure);
		break;
	case ADVICE_CACHE: /* show/dataset.c */
	case ADVICE_KINDS:
		line[0] = '\0';
	}
}

void advice_describe(struct advice_words *words, const struct advice *advice,
		     const struct verdict *verdict)
{
	if (advice->kind == ADVICE_CACHE) {
		dataset_describe(words, advice, copying_words[dialect_of(verdict, advice->kind)]);
		return;
	}
	describe_what(words->what, advice, verdict);
	describe_because(words->because, advice, verdict);
}
