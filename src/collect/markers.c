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

#include "base/text.h"
#include "base/units.h"
#include "collect/elf_symbol.h"
#include "collect/procfs.h"
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

enum { MARKER_ROWS = sizeof(table) / sizeof(table[0]), MAX_LIBRARIES = 64, MAX_FUNCTIONS = 8 };

static const struct {
	const char *file; /* a glob for its name */
	unsigned int framework;
} frameworks[] = {
	{ "libpython*", FRAMEWORK_PYTHON },
	{ "python*", FRAMEWORK_PYTHON },
	{ "libtorch_python*", FRAMEWORK_PYTORCH },
	{ "libtorch_cpu*", FRAMEWORK_PYTORCH },
	{ "libtensorflow_*", FRAMEWORK_TENSORFLOW },
	{ "_pywrap_tensorflow_internal*", FRAMEWORK_TENSORFLOW },
	{ "libdali*", FRAMEWORK_DALI },
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

/* What is known of a process. */
struct look {
	uint64_t start_boot_ns;
	uint64_t program; /* a sum of its command line: another one by exec */
	uint64_t files;   /* a sum of what it has mapped */
	uint64_t due_ns, pause_ns;
	unsigned int frameworks, missing;
};

struct functions {
	struct bpf_link *call[MAX_FUNCTIONS], *back[MAX_FUNCTIONS];
};

struct markers {
	struct whystall_bpf *skel;
	struct marker rows[MARKER_ROWS + 1];
	size_t row_count;
	char own_row[2 * MAPPED_NAME_LEN]; /* WHYSTALL_MARKERS */
	struct look *looks;                /* by owner */
	uint32_t max_owners;
	struct marker_library libraries[MAX_LIBRARIES];
	struct functions functions[MAX_LIBRARIES];
	size_t library_count;
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
	if (own && text_copy(markers->own_row, sizeof(markers->own_row), own)) {
		colon = strrchr(markers->own_row, ':');
		if (colon) {
			*colon = '\0';
			markers->rows[markers->row_count++] =
				(struct marker){ .library = markers->own_row, .symbol = colon + 1 };
		}
	}
	return markers;
}

static void detach(struct functions *functions, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		bpf_link__destroy(functions->call[i]);
		bpf_link__destroy(functions->back[i]);
	}
}

void markers_free(struct markers *markers)
{
	if (!markers)
		return;
	for (size_t i = 0; i < markers->library_count; i++)
		detach(&markers->functions[i], markers->libraries[i].functions);
	free(markers->looks);
	free(markers);
}

/*
 * Watch the function at `offset` of the file that is open as `fd`, for every process that has it in memory, now or later.
 * The kernel is given this very file, whatever its name stands for by now. First the return: a call that is seen must be seen to
 * end.
 */
static int attach(struct markers *markers, int fd, uint64_t offset, struct bpf_link **call,
		  struct bpf_link **back)
{
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*back = bpf_program__attach_uprobe(markers->skel->progs.marker_return, true, -1, path,
					   offset);
	if (!*back)
		return -errno;
	*call = bpf_program__attach_uprobe(markers->skel->progs.marker_call, false, -1, path,
					   offset);
	if (*call)
		return 0;
	err = -errno;
	bpf_link__destroy(*back);
	return err;
}

/* All functions of the table that a library has, by its name. */
static void attach_library(struct markers *markers, struct marker_library *library,
			   struct functions *functions, int fd)
{
	library->err = -ENOENT;
	for (size_t i = 0; i < markers->row_count && library->functions < MAX_FUNCTIONS; i++) {
		const struct marker *row = &markers->rows[i];
		unsigned int n = library->functions;
		uint64_t offset;
		int err;

		if (fnmatch(row->library, library->name, 0) != 0)
			continue;
		err = elf_find_function(fd, row->symbol, &offset);
		if (!err)
			err = attach(markers, fd, offset, &functions->call[n], &functions->back[n]);
		if (!err)
			library->functions++;
		else if (err != -ENOENT)
			library->err = err;
	}
	if (library->functions)
		library->err = 0;
}

static struct marker_library *find_library(struct markers *markers, const struct mapped *mapped)
{
	for (size_t i = 0; i < markers->library_count; i++) {
		struct marker_library *library = &markers->libraries[i];

		if (library->mapped_inode == mapped->inode &&
		    library->mapped_major == mapped->major &&
		    library->mapped_minor == mapped->minor &&
		    strcmp(library->name, mapped->name) == 0)
			return library;
	}
	return NULL;
}

/* The same file by another name or another mount: it has its probes already. */
static bool is_attached(const struct markers *markers, const struct stat *st)
{
	for (size_t i = 0; i < markers->library_count; i++)
		if (markers->libraries[i].functions && markers->libraries[i].device == st->st_dev &&
		    markers->libraries[i].inode == st->st_ino)
			return true;
	return false;
}

/*
 * A file that rows of the table are about, met for the first time. That its name is an untrusted user's does no harm: what is
 * attached to is a file that the process has mapped and that exports the function, whatever it is called.
 */
static struct marker_library *add_library(struct markers *markers, int folder,
					  const struct mapped *mapped, unsigned int framework)
{
	size_t index = markers->library_count;
	struct marker_library *library = &markers->libraries[index];
	struct stat st;
	int fd;

	if (index == MAX_LIBRARIES)
		return NULL;
	fd = mapped_open(folder, mapped);
	/* Unmapped again, or the process is gone. */
	if (fd == -ENOENT || fd == -ESRCH)
		return NULL;
	*library = (struct marker_library){ .mapped_major = mapped->major,
					    .mapped_minor = mapped->minor,
					    .mapped_inode = mapped->inode,
					    .framework = framework,
					    .err = fd < 0 ? fd : 0 };
	markers->functions[index] = (struct functions){ 0 };
	text_copy(library->name, sizeof(library->name), mapped->name);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		library->device = st.st_dev;
		library->inode = st.st_ino;
		if (!is_attached(markers, &st))
			attach_library(markers, library, &markers->functions[index], fd);
	}
	if (fd >= 0)
		close(fd);
	markers->library_count++;
	return library;
}

/* One look at a process. */
struct looking {
	struct markers *markers;
	int folder;
	uint64_t files;
	unsigned int frameworks, expected, watched;
};

/* FNV-1a */
static uint64_t add_to_sum(uint64_t sum, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ ((const unsigned char *)data)[i]) * 0x100000001b3;
	return sum;
}

static bool look_at_file(void *context, const struct mapped *mapped)
{
	struct looking *looking = context;
	struct markers *markers = looking->markers;
	struct marker_library *library;

	looking->files = add_to_sum(looking->files, &mapped->start, sizeof(mapped->start));
	looking->files = add_to_sum(looking->files, &mapped->inode, sizeof(mapped->inode));
	for (size_t i = 0; i < sizeof(frameworks) / sizeof(frameworks[0]); i++)
		if (fnmatch(frameworks[i].file, mapped->name, 0) == 0)
			looking->frameworks |= frameworks[i].framework;
	for (size_t i = 0; i < markers->row_count; i++) {
		const struct marker *row = &markers->rows[i];

		if (fnmatch(row->library, mapped->name, 0) != 0)
			continue;
		looking->expected |= row->framework;
		library = find_library(markers, mapped);
		if (!library)
			library = add_library(markers, looking->folder, mapped, row->framework);
		if (library && !library->err)
			looking->watched |= row->framework;
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

/* A process that works for another one with the same command line: forked, without a program of its own. */
static bool is_copy(const struct bpf_maps *maps, uint32_t owner)
{
	uint32_t trainer = maps->owners[owner].trainer;
	const char *line, *other;
	size_t len, other_len;

	if (trainer == owner || trainer < OWNER_FIRST || trainer >= maps->max_owners)
		return false;
	line = command_line(maps, owner, &len);
	other = command_line(maps, trainer, &other_len);
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

static void set_due(const struct bpf_maps *maps, uint32_t owner, struct look *look, uint64_t files,
		    uint64_t now)
{
	bool young = now < look->start_boot_ns + young_ns && !is_copy(maps, owner);
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
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%u", o->pid);
	looking.folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (looking.folder >= 0 && procfs_read_start_ticks((pid_t)o->pid, &ticks) == 0 &&
	    ticks == o->start_boot_ns / tick_ns)
		err = mapped_list(looking.folder, look_at_file, &looking);
	if (looking.folder >= 0)
		close(looking.folder);
	look->frameworks |= looking.frameworks;
	look->missing = looking.expected & ~looking.watched;
	set_due(maps, owner, look, looking.files, now);
	return err == -ENOMEM ? err : 0;
}

int markers_look(struct markers *markers, const struct bpf_maps *maps)
{
	uint64_t now = time_now_ns(CLOCK_BOOTTIME);
	uint32_t end = bpf_maps_used(maps->skel->maps.owners, &maps->skel->data->owners_used);
	int err = 0;

	for (uint32_t i = OWNER_FIRST; !err && i < end && i < markers->max_owners; i++) {
		const struct owner *o = &maps->owners[i];

		if (o->kind == OWNER_PROCESS && !o->end_boot_ns &&
		    is_due(maps, i, &markers->looks[i], now))
			err = look_at(markers, maps, i, now);
	}
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

const struct marker_library *markers_library(const struct markers *markers, size_t index)
{
	return index < markers->library_count ? &markers->libraries[index] : NULL;
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

static bool own_process_is_marked(const struct bpf_maps *maps)
{
	uint32_t end = bpf_maps_used(maps->skel->maps.owners, &maps->skel->data->owners_used);

	for (uint32_t i = OWNER_FIRST; i < end; i++)
		if (maps->owners[i].kind == OWNER_PROCESS &&
		    maps->owners[i].pid == (uint32_t)getpid())
			return maps->owners[i].marked && !maps->owners[i].inside;
	return false;
}

int markers_try(struct markers *markers, const struct bpf_maps *maps, struct fault *fault)
{
	struct own_place place = { .address = (uint64_t)(uintptr_t)own_marker };
	struct bpf_link *call = NULL, *back = NULL;
	int folder = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int err = folder < 0 || fd < 0 ? -errno : mapped_list(folder, find_own, &place);

	if (!err && !place.found)
		err = -ENOENT;
	if (!err)
		err = attach(markers, fd, place.offset, &call, &back);
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
	if (folder >= 0)
		close(folder);
	if (fd >= 0)
		close(fd);
	return err;
}
