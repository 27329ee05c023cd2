/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How large a trainer's data is: the files of a folder are counted and their sizes added up, none is opened. The folder is an
 * untrusted user's and may be on a file system that never answers, so that this is done in a child with a deadline.
 */
#ifndef WHYSTALL_COLLECT_DATASET_H
#define WHYSTALL_COLLECT_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "collect/apart.h"

enum { DATASET_PATH_LEN = 1024, DATASET_ENDING_LEN = 16 };

enum dataset_shape {
	DATASET_FILE,   /* one file */
	DATASET_FOLDER, /* the files of one folder that end alike, like shards */
	DATASET_TREE,   /* all files of a folder and of those in it */
};

struct dataset_place {
	enum dataset_shape shape;
	char path[DATASET_PATH_LEN];     /* absolute, and never the root */
	char ending[DATASET_ENDING_LEN]; /* of DATASET_FOLDER: ".tar"; "": names without a dot */
};

/* A file of the dataset that was read, by whomever. */
struct dataset_file {
	const char *path;    /* begins with that of the place */
	uint64_t read_bytes; /* from storage into memory, in the window */
};

/* Bytes are sizes as stat(2) tells them: holes need memory too, once they are read. */
struct dataset_count {
	uint64_t files, bytes; /* each file once, however many names it has */
	bool complete;         /* else it has at least so many */
	uint64_t read_files;   /* of those that were given, so many were read and are still there */
	uint64_t read_bytes;   /* of them: what was read, but of each file no more than its size */
	uint64_t again_bytes;  /* read beyond that, so for the second time at least */
};

/* What is known of one trainer's. */
struct dataset {
	pid_t pid; /* of the trainer */
	struct dataset_place place;
	bool counted; /* else `count` has no meaning */
	struct dataset_count count;
};

/* The ending of a file's name, which may be a path: from its last dot on, "" where that is none, or is long. */
const char *dataset_ending(const char *name);

/*
 * Count a dataset in this process, which may take for ever: `folder` is that of the place, or the one that its file is in.
 * `deadline_ns` of CLOCK_MONOTONIC ends it early. Symbolic links and other file systems are left out.
 */
void dataset_count(struct dataset_count *count, const struct dataset_place *place, int folder,
		   const struct dataset_file *files, size_t file_count, uint64_t deadline_ns);

/*
 * The same in a child. The place's path is taken as whystall sees it, or, where that has no such file, as the process `pid` does.
 * Returns 0, or a negative errno: -ETIMEDOUT, -ENOENT and the like, or one of apart_run().
 */
int dataset_count_apart(struct dataset_count *count, struct apart *apart,
			const struct dataset_place *place, pid_t pid,
			const struct dataset_file *files, size_t file_count, uint64_t timeout_ns);

#endif
