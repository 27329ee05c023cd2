// SPDX-License-Identifier: BSD-2-Clause
#include "collect/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/text.h"
#include "base/units.h"

enum {
	MOST_ENTRIES = 2000000,
	MOST_DEPTH = 64,     /* a descriptor for each */
	SIBLINGS_TRIED = 16, /* files that are looked for to see whether a path is the right one */
	FIRST_LINKS = 1024,  /* a power of two */
};

/* Inode numbers of files with several names, those seen so far; 0: a free place. */
struct links {
	uint64_t *list;
	size_t used, capacity;
};

struct walk {
	struct dataset_count *count;
	const struct dataset_place *place;
	uint64_t deadline_ns;
	size_t entries;
	dev_t device;
	bool stopped; /* too many, or too late */
	struct links links;
};

const char *dataset_ending(const char *name)
{
	const char *base = strrchr(name, '/'), *dot;

	base = base ? base + 1 : name;
	dot = strrchr(base, '.');
	return dot && dot != base && strlen(dot) < DATASET_ENDING_LEN ? dot : "";
}

static size_t links_find(const struct links *links, uint64_t inode)
{
	size_t at = (inode * 0x9e3779b97f4a7c15ULL >> 20) & (links->capacity - 1);

	while (links->list[at] && links->list[at] != inode)
		at = (at + 1) & (links->capacity - 1);
	return at;
}

static bool links_grow(struct links *links)
{
	struct links more = { .capacity = links->capacity ? 2 * links->capacity : FIRST_LINKS,
			      .used = links->used };

	more.list = calloc(more.capacity, sizeof(*more.list));
	if (!more.list)
		return false;
	for (size_t i = 0; i < links->capacity; i++)
		if (links->list[i])
			more.list[links_find(&more, links->list[i])] = links->list[i];
	free(links->list);
	*links = more;
	return true;
}

/* Returns whether it is new; without memory for it nobody knows. */
static bool links_add(struct walk *walk, uint64_t inode)
{
	struct links *links = &walk->links;
	size_t at;

	if (2 * (links->used + 1) > links->capacity && !links_grow(links)) {
		walk->stopped = true;
		return false;
	}
	at = links_find(links, inode);
	if (links->list[at] == inode)
		return false;
	links->list[at] = inode;
	links->used++;
	return true;
}

static bool may_go_on(struct walk *walk)
{
	if (++walk->entries > MOST_ENTRIES || time_now_ns(CLOCK_MONOTONIC) >= walk->deadline_ns)
		walk->stopped = true;
	return !walk->stopped;
}

static void add_file(struct walk *walk, const struct stat *st)
{
	if (st->st_nlink > 1 && !links_add(walk, st->st_ino))
		return;
	walk->count->files++;
	walk->count->bytes += st->st_size > 0 ? (uint64_t)st->st_size : 0;
}

static void walk_folder(struct walk *walk, int folder, unsigned int depth);

static void walk_into(struct walk *walk, int folder, const char *name, unsigned int depth)
{
	int fd;

	if (depth >= MOST_DEPTH) {
		walk->count->complete = false;
		return;
	}
	fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		/* It may have been removed meanwhile. */
		walk->count->complete = walk->count->complete && errno == ENOENT;
	else
		walk_folder(walk, fd, depth + 1);
}

static bool is_wanted(const struct walk *walk, const struct dirent *entry)
{
	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return false;
	if (walk->place->shape == DATASET_FOLDER &&
	    strcmp(dataset_ending(entry->d_name), walk->place->ending) != 0)
		return false;
	return entry->d_type == DT_REG || entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN;
}

/* Without asking the file system, which may be another one that is mounted there and never answers. */
static bool is_mounted_on(const struct walk *walk, int folder, const char *name)
{
	struct statx stx;

	return statx(folder, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		     STATX_TYPE, &stx) == 0 &&
	       makedev(stx.stx_dev_major, stx.stx_dev_minor) != walk->device;
}

static void walk_entry(struct walk *walk, int folder, const struct dirent *entry,
		       unsigned int depth)
{
	struct stat st;

	if (entry->d_type != DT_REG && is_mounted_on(walk, folder, entry->d_name))
		return;
	if (fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)) {
		walk->count->complete = walk->count->complete && errno == ENOENT;
		return;
	}
	if (st.st_dev != walk->device)
		return;
	if (S_ISREG(st.st_mode))
		add_file(walk, &st);
	else if (S_ISDIR(st.st_mode) && walk->place->shape == DATASET_TREE)
		walk_into(walk, folder, entry->d_name, depth);
}

/* Closes the folder. */
static void walk_folder(struct walk *walk, int folder, unsigned int depth)
{
	const struct dirent *entry;
	DIR *dir = fdopendir(folder);

	if (!dir) {
		close(folder);
		walk->count->complete = false;
		return;
	}
	while (may_go_on(walk)) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			walk->count->complete = walk->count->complete && !errno;
			break;
		}
		if (is_wanted(walk, entry))
			walk_entry(walk, folder, entry, depth);
	}
	closedir(dir);
}

static int open_below(int folder, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC | O_NOFOLLOW,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS |
					   RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
}

/* Of a regular file below the folder, which is not opened for reading. */
static bool stat_below(int folder, const char *path, struct stat *st)
{
	int fd = open_below(folder, path, O_PATH);
	bool found;

	if (fd < 0)
		return false;
	found = fstat(fd, st) == 0 && S_ISREG(st->st_mode);
	close(fd);
	return found;
}

/* The name of the place inside its folder: the file's where it is one. */
static size_t folder_length(const struct dataset_place *place)
{
	const char *slash = strrchr(place->path, '/');

	return place->shape == DATASET_FILE ? (size_t)(slash - place->path) : strlen(place->path);
}

/* Whole pages are read, also of what is shorter. */
static void add_read(struct dataset_count *count, const struct dataset_file *file, uint64_t size)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const uint64_t pages = (size + page - 1) / page * page;

	count->read_files += file->read_bytes != 0;
	count->read_bytes += file->read_bytes < size ? file->read_bytes : size;
	count->again_bytes += file->read_bytes > pages ? file->read_bytes - pages : 0;
}

void dataset_count(struct dataset_count *count, const struct dataset_place *place, int folder,
		   const struct dataset_file *files, size_t file_count, uint64_t deadline_ns)
{
	struct walk walk = { .count = count, .place = place, .deadline_ns = deadline_ns };
	const size_t length = folder_length(place);
	struct stat st;
	int fd;

	*count = (struct dataset_count){ .complete = true };
	for (size_t i = 0; i < file_count && may_go_on(&walk); i++)
		if (stat_below(folder, files[i].path + length, &st))
			add_read(count, &files[i], (uint64_t)st.st_size);
	if (fstat(folder, &st) == 0)
		walk.device = st.st_dev;
	if (place->shape == DATASET_FILE && stat_below(folder, place->path + length, &st))
		add_file(&walk, &st);
	else if (place->shape == DATASET_FILE || walk.stopped)
		count->complete = false;
	else {
		fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			count->complete = false;
		else
			walk_folder(&walk, fd, 0);
	}
	count->complete = count->complete && !walk.stopped;
	free(walk.links.list);
}

struct request {
	const struct dataset_place *place;
	pid_t pid;
	const struct dataset_file *files;
	size_t file_count;
	uint64_t deadline_ns;
};

struct answer {
	int err;
	struct dataset_count count;
};

/* The folder of the place below this root, if it has one of the files that were read. */
static int open_folder(const struct request *r, const char *root)
{
	int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;
	const size_t length = folder_length(r->place);
	char path[DATASET_PATH_LEN];
	bool found = false;
	struct stat st;

	if (root_fd < 0)
		return -errno;
	text_copy(path, length + 1 < sizeof(path) ? length + 1 : sizeof(path), r->place->path);
	fd = open_below(root_fd, path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		fd = -errno;
	close(root_fd);
	for (size_t i = 0; fd >= 0 && i < r->file_count && i < SIBLINGS_TRIED && !found; i++)
		found = stat_below(fd, r->files[i].path + length, &st);
	if (fd >= 0 && !found) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

/* All that is needed is to enter and to list any folder. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	for (int word = 0; word < _LINUX_CAPABILITY_U32S_3; word++) {
		uint32_t mask =
			word == CAP_DAC_READ_SEARCH / 32 ? 1U << CAP_DAC_READ_SEARCH % 32 : 0;

		data[word].effective &= mask;
		data[word].permitted &= mask;
		data[word].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

static void count_in_child(const void *context, void *answer, int *fds, size_t *fd_count)
{
	const struct request *r = context;
	struct answer *a = answer;
	char root[64];
	int folder;

	fds[0] = -1; /* none is handed over */
	*fd_count = 0;
	snprintf(root, sizeof(root), "/proc/%d/root", r->pid);
	folder = open_folder(r, "/");
	if (folder < 0)
		folder = open_folder(r, root);
	a->err = folder < 0 ? folder : drop_capabilities();
	if (!a->err)
		dataset_count(&a->count, r->place, folder, r->files, r->file_count, r->deadline_ns);
}

int dataset_count_apart(struct dataset_count *count, struct apart *apart,
			const struct dataset_place *place, pid_t pid,
			const struct dataset_file *files, size_t file_count, uint64_t timeout_ns)
{
	/* It has a sixth of the time to answer with what it has. */
	const struct request request = { .place = place,
					 .pid = pid,
					 .files = files,
					 .file_count = file_count,
					 .deadline_ns = time_now_ns(CLOCK_MONOTONIC) +
							timeout_ns / 6 * 5 };
	const struct apart_work work = { .run = count_in_child,
					 .context = &request,
					 .keep_fd = -1,
					 .timeout_ns = timeout_ns,
					 .answer_size = sizeof(struct answer) };
	struct answer answer = { 0 };
	size_t fd_count;
	int fds[APART_MAX_FDS], err;

	if (place->path[0] != '/' || folder_length(place) < 2)
		return -EINVAL;
	err = apart_run(apart, &work, &answer, fds, &fd_count);
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
	if (!err)
		err = answer.err;
	if (!err)
		*count = answer.count;
	return err;
}
