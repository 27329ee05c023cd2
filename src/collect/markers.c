// SPDX-License-Identifier: BSD-2-Clause
#include "collect/markers.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "base/units.h"
#include "collect/apart.h"
#include "collect/elf_symbol.h"
#include "collect/framework.h"
#include "collect/mapped.h"
#include "collect/procfs.h"
#include "collect/uprobe.h"
#include "whystall.skel.h"

/* A function that returns when the caller has its next batch, as the library exports it. */
struct marker {
	const char *library; /* a glob for the file's name */
	const char *symbol;
	unsigned int framework;
};

/* To add one: a row. It must be called once for each batch, by whoever goes on with it, and by nobody else. */
static const struct marker table[] = {
	/* tensorflow::data::IteratorResource::GetNext(OpKernelContext *, std::vector<Tensor> *, bool *) */
	{ "libtensorflow_cc.so*",
	  "_ZN10tensorflow4data16IteratorResource7GetNextEPNS_15OpKernelContextEPSt6vectorINS_"
	  "6TensorESaIS5_EEPb",
	  FRAMEWORK_TENSORFLOW },
	/* Before 2.13 it is in Python's module. */
	{ "_pywrap_tensorflow_internal*.so",
	  "_ZN10tensorflow4data16IteratorResource7GetNextEPNS_15OpKernelContextEPSt6vectorINS_"
	  "6TensorESaIS5_EEPb",
	  FRAMEWORK_TENSORFLOW },
	/* Python's calls, then C's (Triton, the plugin for TensorFlow) in two generations. One may call the other. */
	{ "libdali.so*", "_ZN4dali8Pipeline12ShareOutputsEPNS_9WorkspaceE", FRAMEWORK_DALI },
	{ "libdali.so*", "_ZN4dali8Pipeline7OutputsEPNS_9WorkspaceE", FRAMEWORK_DALI },
	{ "libdali.so*", "daliShareOutput", FRAMEWORK_DALI },
	{ "libdali.so*", "daliPipelinePopOutputs", FRAMEWORK_DALI },
};

enum {
	MARKER_ROWS = sizeof(table) / sizeof(table[0]),
	MAX_LIBRARIES = 64, /* a bit each in struct look */
	MAX_FUNCTIONS = APART_MAX_FDS / 2,
	MAX_FAILURES = 1024,
	PID_PLACES = 16384, /* a power of two */
};

/*
 * A process that has just begun is looked at in each interval: it is there that libraries come one after the other. Later,
 * and when it is a copy of its parent (a worker without a program of its own), seldom. A look at a TensorFlow process,
 * with 760 mappings, takes 1.2 ms.
 */
static const uint64_t young_ns = 60ULL * NS_PER_S;
static const uint64_t shortest_pause_ns = 90ULL * NS_PER_MS;
static const uint64_t first_pause_ns = 950ULL * NS_PER_MS;
static const uint64_t longest_pause_ns = 60ULL * NS_PER_S;

/*
 * In one call of markers_look(): no further process is looked at above so many bytes of /proc/PID/maps (a single one has up
 * to MAX_MAPS_BYTES), each counted with some more for all else that a look takes; no further copy above fewer; and no further
 * file above so long a wait. For copies that is 0.5 ms where they are small (20 of them), 2 ms where they have TensorFlow. A library
 * that is found once is watched in all processes: that many wait for their turn does little harm.
 */
static const uint64_t enough_bytes = 1 << 20;
static const uint64_t enough_bytes_of_copies = 128 << 10;
static const uint64_t look_bytes = 4096;
static const uint64_t enough_wait_ns = 250ULL * NS_PER_MS;

/* How long one file is waited for: at first; half as long after each that took more than half of it. */
static const uint64_t patience_ns = 2ULL * NS_PER_S;
enum { MAX_HALVINGS = 5 };

/* What is known of a process. */
struct look {
	uint64_t start_boot_ns;
	uint64_t program; /* a sum of its command line: another one by exec */
	uint64_t files;   /* a sum of what it has mapped */
	uint64_t due_ns, pause_ns;
	uint64_t libraries; /* that it has mapped: a bit for each */
	unsigned int frameworks, missing;
};

/* Which file a line of /proc/PID/maps tells. */
struct file_key {
	uint64_t inode, name; /* of the name a sum */
	unsigned int major, minor;
};

/* A file that is watched. */
struct library {
	bool used;
	struct file_key key;
	uint64_t device, inode; /* by stat() */
	char name[MAPPED_NAME_LEN];
	size_t probes; /* the place of the one that has them: the same file may have several names or mounts */
	unsigned int functions;
	struct bpf_link *call[MAX_FUNCTIONS], *back[MAX_FUNCTIONS];
};

struct markers {
	struct whystall_bpf *skel;
	struct marker rows[MARKER_ROWS + 1];
	size_t row_count;
	char own_row[2 * MAPPED_NAME_LEN]; /* WHYSTALL_MARKERS */
	struct look *looks;                /* by owner */
	uint32_t max_owners, next;         /* `next`: where to go on */
	uint32_t by_pid
		[PID_PLACES]; /* owners, each at a place by its PID, where a later one may take it */
	struct library libraries[MAX_LIBRARIES];
	/* Files that cannot be watched, each at a place by its sum, where a later one may take it. */
	struct file_key failures[MAX_FAILURES];
	struct apart apart;
	unsigned int halvings;                      /* of patience_ns */
	uint64_t read_bytes, copy_bytes, waited_ns; /* in this call */
	bool told_full, told_busy;
};

struct markers *markers_new(struct whystall_bpf *skel, uint32_t max_owners)
{
	struct markers *markers = calloc(1, sizeof(*markers));
	const char *own = getenv("WHYSTALL_MARKERS");
	char *colon;

	if (!markers)
		return NULL;
	markers->skel = skel;
	markers->max_owners = max_owners;
	markers->looks = calloc(max_owners, sizeof(*markers->looks));
	if (!markers->looks) {
		free(markers);
		return NULL;
	}
	memcpy(markers->rows, table, sizeof(table));
	markers->row_count = MARKER_ROWS;
	if (!own)
		return markers;
	colon = text_copy(markers->own_row, sizeof(markers->own_row), own) ?
			strrchr(markers->own_row, ':') :
			NULL;
	if (colon && colon != markers->own_row && colon[1]) {
		*colon = '\0';
		markers->rows[markers->row_count++] =
			(struct marker){ .library = markers->own_row, .symbol = colon + 1 };
	} else {
		log_warning("WHYSTALL_MARKERS is not GLOB:SYMBOL, or too long; it is ignored");
	}
	return markers;
}

static void detach(struct library *library)
{
	for (unsigned int i = 0; i < library->functions; i++) {
		bpf_link__destroy(library->call[i]);
		bpf_link__destroy(library->back[i]);
	}
	library->used = false;
}

void markers_free(struct markers *markers)
{
	if (!markers)
		return;
	for (size_t i = 0; i < MAX_LIBRARIES; i++)
		if (markers->libraries[i].used)
			detach(&markers->libraries[i]);
	apart_reap(&markers->apart);
	free(markers->looks);
	free(markers);
}

/* As FNV-1a, but by words: command lines of all processes are looked at in each interval. */
static uint64_t add_to_sum(uint64_t sum, const void *data, size_t size)
{
	const char *at = data;
	uint64_t word;

	for (; size >= sizeof(word); size -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum = (sum ^ word) * 0x100000001b3;
	}
	word = 0;
	memcpy(&word, at, size);
	return size ? (sum ^ word) * 0x100000001b3 : sum;
}

static struct file_key key_of(const struct mapped *mapped)
{
	return (struct file_key){ .inode = mapped->inode,
				  .name = add_to_sum(0xcbf29ce484222325, mapped->name,
						     strlen(mapped->name)),
				  .major = mapped->major,
				  .minor = mapped->minor };
}

static bool is_same(const struct file_key *a, const struct file_key *b)
{
	return a->inode == b->inode && a->name == b->name && a->major == b->major &&
	       a->minor == b->minor;
}

static struct file_key *failure_place(struct markers *markers, const struct file_key *key)
{
	uint64_t sum = add_to_sum(0xcbf29ce484222325, key, sizeof(*key));

	return &markers->failures[(sum ^ sum >> 32) % MAX_FAILURES];
}

static struct library *find_library(struct markers *markers, const struct file_key *key)
{
	for (size_t i = 0; i < MAX_LIBRARIES; i++)
		if (markers->libraries[i].used && is_same(&markers->libraries[i].key, key))
			return &markers->libraries[i];
	return NULL;
}

/* What a child is asked for: the functions of a library, or of whystall itself. */
struct request {
	const struct markers *markers;
	int folder;
	const struct mapped *mapped;
	uint64_t own_offset;
};

/* With the descriptors of two perf events for each function, the one for its return first. */
struct answer {
	int err;   /* why there are none: -ENOENT: it exports none of them */
	bool gone; /* unmapped again, or the process is gone */
	uint64_t device, inode;
	size_t same_as; /* the place of the one that has the probes of this file already; MAX_LIBRARIES: none */
};

/* The same file by another name or another mount. */
static size_t find_same(const struct markers *markers, const struct stat *st)
{
	for (size_t i = 0; i < MAX_LIBRARIES; i++) {
		const struct library *library = &markers->libraries[i];

		if (library->used && library->functions && library->device == st->st_dev &&
		    library->inode == st->st_ino)
			return i;
	}
	return MAX_LIBRARIES;
}

/* In the child. First the return: a call that is seen must be seen to end. */
static int open_pair(int fd, uint64_t offset, int *fds, size_t *fd_count)
{
	int back = uprobe_open(fd, offset, true);
	int call = back < 0 ? back : uprobe_open(fd, offset, false);

	if (call < 0) {
		if (back >= 0)
			close(back);
		return call;
	}
	fds[(*fd_count)++] = back;
	fds[(*fd_count)++] = call;
	return 0;
}

/* In the child: all functions of the table that a library has, by its name. */
static int open_functions(const struct request *request, int fd, int *fds, size_t *fd_count)
{
	int result = -ENOENT;

	for (size_t i = 0; i < request->markers->row_count; i++) {
		const struct marker *row = &request->markers->rows[i];
		uint64_t offset;
		int err;

		if (*fd_count + 2 > APART_MAX_FDS ||
		    fnmatch(row->library, request->mapped->name, 0) != 0)
			continue;
		err = elf_find_function(fd, row->symbol, &offset);
		if (!err)
			err = open_pair(fd, offset, fds, fd_count);
		if (err && err != -ENOENT)
			result = err;
	}
	return *fd_count ? 0 : result;
}

/*
 * In the child. That a file's name is an untrusted user's does no harm: what is attached to is a file that the process has mapped
 * and that exports the function, whatever it is called.
 */
static void open_library(const void *context, void *out, int *fds, size_t *fd_count)
{
	const struct request *request = context;
	struct answer *answer = out;
	int fd = mapped_open(request->folder, request->mapped);
	struct stat st;

	answer->same_as = MAX_LIBRARIES;
	answer->gone = fd == -ENOENT || fd == -ESRCH;
	answer->err = fd < 0 ? fd : fstat(fd, &st) != 0 ? -errno : 0;
	if (answer->err)
		return;
	answer->device = st.st_dev;
	answer->inode = st.st_ino;
	answer->same_as = find_same(request->markers, &st);
	if (answer->same_as == MAX_LIBRARIES)
		answer->err = open_functions(request, fd, fds, fd_count);
}

/* In the child. */
static void open_own(const void *context, void *out, int *fds, size_t *fd_count)
{
	const struct request *request = context;
	struct answer *answer = out;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	answer->err = fd < 0 ? -errno : open_pair(fd, request->own_offset, fds, fd_count);
}

static int ask(struct markers *markers, const struct request *request, bool own,
	       struct answer *answer, int *fds, size_t *fd_count)
{
	const struct apart_work work = { .run = own ? open_own : open_library,
					 .context = request,
					 .keep_fd = request->folder,
					 .timeout_ns = patience_ns >> markers->halvings,
					 .answer_size = sizeof(*answer) };
	const uint64_t start = time_now_ns(CLOCK_MONOTONIC);
	int err = apart_run(&markers->apart, &work, answer, fds, fd_count);
	const uint64_t waited = time_now_ns(CLOCK_MONOTONIC) - start;

	markers->waited_ns += waited;
	if (waited > work.timeout_ns / 2 && markers->halvings < MAX_HALVINGS)
		markers->halvings++;
	return err ? err : answer->err;
}

/* Takes both descriptors. */
static int attach_pair(struct markers *markers, const int *fds, struct bpf_link **back,
		       struct bpf_link **call)
{
	int err = 0;

	*back = bpf_program__attach_perf_event(markers->skel->progs.marker_return, fds[0]);
	if (*back) {
		*call = bpf_program__attach_perf_event(markers->skel->progs.marker_call, fds[1]);
		if (*call)
			return 0;
		err = -errno;
		bpf_link__destroy(*back);
	} else {
		err = -errno;
		close(fds[0]);
	}
	close(fds[1]);
	return err;
}

static int attach_all(struct markers *markers, struct library *library, const int *fds,
		      size_t fd_count)
{
	int err = 0;

	for (size_t i = 0; i + 1 < fd_count; i += 2) {
		unsigned int n = library->functions;
		int failed = attach_pair(markers, fds + i, &library->back[n], &library->call[n]);

		if (failed)
			err = failed;
		else
			library->functions++;
	}
	return library->functions ? 0 : err;
}

static void note_failure(struct markers *markers, const struct file_key *key, const char *name,
			 int err)
{
	const char *why = err == -ETIMEDOUT ? "its file system does not answer" :
			  err == -EREMOTE   ? "a program serves its file system (FUSE)" :
					      strerror(-err);

	*failure_place(markers, key) = *key;
	if (err == -ENOENT)
		log_debug("%s exports no input marker that is known", name);
	else
		log_debug("%s: its input markers cannot be watched: %s", name, why);
}

/* A place that is free, or NULL. */
static struct library *find_place(struct markers *markers)
{
	for (size_t i = 0; i < MAX_LIBRARIES; i++)
		if (!markers->libraries[i].used)
			return &markers->libraries[i];
	if (!markers->told_full)
		log_warning(
			"more than %d libraries with input markers: further ones are not watched",
			MAX_LIBRARIES);
	markers->told_full = true;
	return NULL;
}

/* A file that rows of the table are about, met for the first time. NULL where it is not watched. */
static struct library *add_library(struct markers *markers, int folder, const struct mapped *mapped,
				   const struct file_key *key)
{
	const struct request request = { .markers = markers, .folder = folder, .mapped = mapped };
	struct library *library = find_place(markers);
	struct answer answer = { 0 };
	int fds[APART_MAX_FDS];
	size_t fd_count;
	int err;

	if (!library)
		return NULL;
	err = ask(markers, &request, false, &answer, fds, &fd_count);
	if (err == -EBUSY && !markers->told_busy) {
		log_warning("file systems do not answer: no further library is looked at for input "
			    "markers until they do");
		markers->told_busy = true;
	}
	if (answer.gone || err == -EBUSY || err == -EAGAIN)
		return NULL;
	*library = (struct library){ .key = *key, .device = answer.device, .inode = answer.inode };
	library->probes = answer.same_as < MAX_LIBRARIES ? answer.same_as :
							   (size_t)(library - markers->libraries);
	text_copy(library->name, sizeof(library->name), mapped->name);
	if (!err)
		err = attach_all(markers, library, fds, fd_count);
	if (err) {
		note_failure(markers, key, mapped->name, err);
		return NULL;
	}
	library->used = true;
	log_debug("%s: input markers are watched", library->name);
	return library;
}

/* One look at a process. */
struct looking {
	struct markers *markers;
	int folder;
	uint64_t files, libraries;
	unsigned int frameworks, expected, watched;
	bool deferred; /* there was no time for a file */
};

/* The file of a mapping whose name is in the table: NULL where it is not watched. */
static struct library *library_of(struct looking *looking, const struct mapped *mapped)
{
	struct markers *markers = looking->markers;
	const struct file_key key = key_of(mapped);
	struct library *library = find_library(markers, &key);

	if (library || is_same(failure_place(markers, &key), &key))
		return library;
	if (markers->waited_ns > enough_wait_ns) {
		looking->deferred = true;
		return NULL;
	}
	return add_library(markers, looking->folder, mapped, &key);
}

static bool look_at_file(void *context, const struct mapped *mapped)
{
	struct looking *looking = context;
	struct markers *markers = looking->markers;
	struct library *library;

	looking->files = add_to_sum(looking->files, &mapped->start, sizeof(mapped->start));
	looking->files = add_to_sum(looking->files, &mapped->inode, sizeof(mapped->inode));
	looking->frameworks |= framework_of_file(mapped->name);
	for (size_t i = 0; i < markers->row_count; i++) {
		const struct marker *row = &markers->rows[i];

		if (fnmatch(row->library, mapped->name, 0) != 0)
			continue;
		looking->expected |= row->framework;
		library = library_of(looking, mapped);
		if (library) {
			looking->watched |= row->framework;
			looking->libraries |= 1ULL << (library - markers->libraries);
		}
		break;
	}
	return true;
}

static const char *command_line(const struct bpf_maps *maps, uint32_t owner, size_t *len)
{
	const struct owner *o = &maps->owners[owner];
	const struct owner_note *note = &maps->notes[owner];

	*len = o->cmdline_len;
	if (*len && *len <= CMDLINE_LEN)
		return o->cmdline;
	*len = note->start_boot_ns == o->start_boot_ns ? note->cmdline_len : 0;
	return note->cmdline;
}

/* NULL: it is not of the job, or its place was taken. */
static const struct owner *parent_of(const struct markers *markers, const struct bpf_maps *maps,
				     const struct owner *o, uint32_t *index)
{
	const struct owner *parent;

	*index = markers->by_pid[o->ppid % PID_PLACES];
	parent = &maps->owners[*index];
	return parent->kind == OWNER_PROCESS && parent->pid == o->ppid &&
			       parent->start_boot_ns <= o->start_boot_ns ?
		       parent :
		       NULL;
}

/* A process with its parent's command line: forked, without a program of its own. */
static bool is_copy(const struct markers *markers, const struct bpf_maps *maps, uint32_t owner)
{
	uint32_t parent;
	const char *line, *other;
	size_t len, other_len;

	if (!parent_of(markers, maps, &maps->owners[owner], &parent) || parent == owner)
		return false;
	line = command_line(maps, owner, &len);
	other = command_line(maps, parent, &other_len);
	return len && len == other_len && memcmp(line, other, len) == 0;
}

static bool is_due(const struct bpf_maps *maps, uint32_t owner, struct look *look, uint64_t now)
{
	const struct owner *o = &maps->owners[owner];
	uint64_t program;
	const char *line;
	size_t len;

	line = command_line(maps, owner, &len);
	program = add_to_sum(0, line, len);
	if (look->start_boot_ns != o->start_boot_ns || look->program != program)
		*look = (struct look){ .start_boot_ns = o->start_boot_ns, .program = program };
	return now >= look->due_ns;
}

static void set_due(struct markers *markers, const struct bpf_maps *maps, uint32_t owner,
		    uint64_t files, uint64_t now)
{
	struct look *look = &markers->looks[owner];
	bool young = now < look->start_boot_ns + young_ns && !is_copy(markers, maps, owner);
	uint64_t pause = first_pause_ns;

	if (look->files == files && look->pause_ns)
		pause = 2 * look->pause_ns < longest_pause_ns ? 2 * look->pause_ns :
								longest_pause_ns;
	look->files = files;
	look->pause_ns = pause;
	look->due_ns = now + (young ? shortest_pause_ns : pause);
}

/* One process: its folder stays that of the same process, also when its PID is given to another one. */
static int look_at(struct markers *markers, const struct bpf_maps *maps, uint32_t owner,
		   uint64_t now)
{
	const uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	const struct owner *o = &maps->owners[owner];
	struct look *look = &markers->looks[owner];
	struct looking looking = { .markers = markers };
	char path[32];
	uint64_t ticks;
	size_t bytes = 0;
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%u", o->pid);
	looking.folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (looking.folder >= 0 && procfs_read_start_ticks((pid_t)o->pid, &ticks) == 0 &&
	    ticks == o->start_boot_ns / tick_ns)
		err = mapped_list(looking.folder, look_at_file, &looking, &bytes);
	if (looking.folder >= 0)
		close(looking.folder);
	look->frameworks |= looking.frameworks;
	look->missing = looking.expected & ~looking.watched;
	look->libraries = looking.libraries;
	set_due(markers, maps, owner, looking.files, now);
	if (looking.deferred)
		look->due_ns = now;
	markers->read_bytes += bytes + look_bytes;
	if (is_copy(markers, maps, owner))
		markers->copy_bytes += bytes + look_bytes;
	return err == -ENOMEM ? err : 0;
}

/* Detach from what no living process has mapped: a probe keeps its file open and the file's system busy. */
static void detach_unused(struct markers *markers, const struct bpf_maps *maps, uint32_t end)
{
	uint64_t used = 0;

	for (uint32_t i = OWNER_FIRST; i < end; i++) {
		const struct owner *o = &maps->owners[i];

		if (o->kind == OWNER_PROCESS && !o->end_boot_ns &&
		    o->start_boot_ns == markers->looks[i].start_boot_ns)
			used |= markers->looks[i].libraries;
	}
	for (size_t i = 0; i < MAX_LIBRARIES; i++)
		if (used >> i & 1)
			used |= 1ULL << markers->libraries[i].probes;
	for (size_t i = 0; i < MAX_LIBRARIES; i++) {
		struct library *library = &markers->libraries[i];

		if (!library->used || used >> i & 1)
			continue;
		log_debug("%s: mapped by no process any more, no longer watched", library->name);
		detach(library);
	}
}

/* Those whose turn it is; who has to wait is the first at the next call. */
static int look_at_due(struct markers *markers, const struct bpf_maps *maps, uint32_t count)
{
	uint64_t now = time_now_ns(CLOCK_BOOTTIME);
	uint32_t first = markers->next, next = first;
	int err = 0;

	for (uint32_t n = 0; !err && n < count; n++) {
		uint32_t i = OWNER_FIRST + (first + n) % count;
		const struct owner *o = &maps->owners[i];

		if (markers->read_bytes > enough_bytes || markers->waited_ns > enough_wait_ns) {
			if (next == first)
				next = first + n;
			break;
		}
		if (o->kind != OWNER_PROCESS || o->end_boot_ns ||
		    !is_due(maps, i, &markers->looks[i], now))
			continue;
		if (markers->copy_bytes <= enough_bytes_of_copies || !is_copy(markers, maps, i))
			err = look_at(markers, maps, i, now);
		else if (next == first)
			next = first + n;
	}
	markers->next = count ? next % count : 0;
	return err;
}

int markers_look(struct markers *markers, struct bpf_maps *maps)
{
	uint32_t end = bpf_maps_owners_used(maps);
	int err;

	if (end > markers->max_owners)
		end = markers->max_owners;
	for (uint32_t i = OWNER_FIRST; i < end; i++)
		if (maps->owners[i].kind == OWNER_PROCESS)
			markers->by_pid[maps->owners[i].pid % PID_PLACES] = i;
	markers->read_bytes = markers->copy_bytes = markers->waited_ns = 0;
	err = look_at_due(markers, maps, end > OWNER_FIRST ? end - OWNER_FIRST : 0);
	detach_unused(markers, maps, end);
	return err;
}

unsigned int markers_frameworks(const struct markers *markers, uint32_t owner,
				uint64_t start_boot_ns)
{
	const struct look *look = &markers->looks[owner];

	return look->start_boot_ns == start_boot_ns ? look->frameworks : 0;
}

unsigned int markers_missing(const struct markers *markers, uint32_t owner, uint64_t start_boot_ns)
{
	const struct look *look = &markers->looks[owner];

	return look->start_boot_ns == start_boot_ns ? look->missing : 0;
}

/* The marker of markers_try(). */
static __attribute__((noinline)) void own_marker(void)
{
	__asm__ volatile("");
}

struct own_place {
	uint64_t address, offset;
	bool found;
};

static bool find_own(void *context, const struct mapped *mapped)
{
	struct own_place *place = context;

	if (place->address < mapped->start || place->address >= mapped->end)
		return true;
	place->offset = place->address - mapped->start + mapped->offset;
	place->found = true;
	return false;
}

static bool own_process_is_marked(struct bpf_maps *maps)
{
	uint32_t end = bpf_maps_owners_used(maps);

	for (uint32_t i = OWNER_FIRST; i < end; i++)
		if (maps->owners[i].kind == OWNER_PROCESS &&
		    maps->owners[i].pid == (uint32_t)getpid())
			return maps->owners[i].marked && !maps->owners[i].inside;
	return false;
}

int markers_try(struct markers *markers, struct bpf_maps *maps, struct fault *fault)
{
	struct own_place place = { .address = (uint64_t)(uintptr_t)own_marker };
	struct request request = { .markers = markers };
	struct bpf_link *call = NULL, *back = NULL;
	struct answer answer = { 0 };
	int fds[APART_MAX_FDS], err;
	size_t bytes, fd_count = 0;

	request.folder = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = request.folder < 0 ? -errno : mapped_list(request.folder, find_own, &place, &bytes);
	if (!err && !place.found)
		err = -ENOENT;
	request.own_offset = place.offset;
	if (!err)
		err = ask(markers, &request, true, &answer, fds, &fd_count);
	if (!err)
		err = attach_pair(markers, fds, &back, &call);
	if (err) {
		fault_set(fault, err, "cannot watch a function: %s", strerror(-err));
	} else {
		own_marker();
		if (!own_process_is_marked(maps))
			err = fault_set(fault, -EIO,
					"a function is watched, but its call is not seen");
		bpf_link__destroy(call);
		bpf_link__destroy(back);
	}
	if (request.folder >= 0)
		close(request.folder);
	return err;
}
