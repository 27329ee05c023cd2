// SPDX-License-Identifier: BSD-2-Clause
#include "collect/proc_parse.h"

#include <errno.h>
#include <string.h>

#include "base/cursor.h"

enum { MOST_PID = INT32_MAX };

/* Number of /proc/PID/stat, counted from 1 as in proc(5). */
struct stat_field {
	int at;
	uint64_t *value;
};

/* Fields in their order; those in between, of which some are negative, are passed over. */
static bool take_stat_fields(struct cursor *c, int at, const struct stat_field *fields,
			     size_t count)
{
	struct cursor word;

	for (size_t i = 0; i < count; at++) {
		cursor_skip_blanks(c);
		if (at == fields[i].at) {
			if (!cursor_take_number(c, UINT64_MAX, fields[i].value))
				return false;
			i++;
		} else if (!cursor_take_word(c, &word)) {
			return false;
		}
	}
	return true;
}

/* "PID (COMM) STATE ": the name may hold anything, brackets, blanks and newlines too; no bracket follows it. */
static bool take_stat_head(struct cursor *c, struct proc_stat *stat)
{
	const char *close;
	uint64_t pid;
	size_t len;

	if (!cursor_take_number(c, MOST_PID, &pid) || !cursor_take(c, " (") || cursor_at_end(c))
		return false;
	close = memrchr(c->at, ')', (size_t)(c->end - c->at));
	if (!close)
		return false;
	len = (size_t)(close - c->at);
	if (memchr(c->at, '\0', len))
		return false;
	memcpy(stat->comm, c->at, len < COMM_LEN ? len : COMM_LEN - 1);
	c->at = close;
	if (c->end - c->at < 4 || !cursor_take(c, ") "))
		return false;
	stat->state = *c->at++;
	return stat->state > ' ' && stat->state < 0x7f && cursor_take(c, " ");
}

int proc_parse_stat(const char *text, size_t len, struct proc_stat *out)
{
	struct cursor c = cursor_over(text, len);
	struct proc_stat stat = { .state = 0 };
	uint64_t ppid;
	const struct stat_field fields[] = {
		{ 4, &ppid },
		{ 9, &stat.flags },
		{ 12, &stat.major_faults },
		{ 14, &stat.user_ticks },
		{ 15, &stat.system_ticks },
		{ 20, &stat.threads },
		{ 22, &stat.start_ticks },
		{ 42, &stat.block_ticks },
	};

	if (!take_stat_head(&c, &stat) ||
	    !take_stat_fields(&c, 4, fields, sizeof(fields) / sizeof(fields[0])) || ppid > MOST_PID)
		return -EINVAL;
	stat.ppid = (pid_t)ppid;
	*out = stat;
	return 0;
}

int proc_parse_io(const char *text, size_t len, struct proc_io *out)
{
	struct cursor c = cursor_over(text, len), line;
	struct proc_io io;
	const struct {
		const char *name;
		uint64_t *value;
	} rows[] = {
		{ "rchar: ", &io.read_chars },
		{ "wchar: ", &io.write_chars },
		{ "syscr: ", &io.reads },
		{ "syscw: ", &io.writes },
		{ "read_bytes: ", &io.read_bytes },
		{ "write_bytes: ", &io.write_bytes },
		{ "cancelled_write_bytes: ", &io.cancelled_write_bytes },
	};
	enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
	unsigned int found = 0;

	while (cursor_take_line(&c, &line))
		for (unsigned int i = 0; i < ROWS; i++)
			if (cursor_take(&line, rows[i].name) &&
			    cursor_take_number(&line, UINT64_MAX, rows[i].value))
				found |= 1U << i;
	if (found != (1U << ROWS) - 1)
		return -EINVAL;
	*out = io;
	return 0;
}

int proc_parse_schedstat(const char *text, size_t len, struct proc_schedstat *out)
{
	struct cursor c = cursor_over(text, len);
	struct proc_schedstat stat;

	if (!cursor_take_number(&c, UINT64_MAX, &stat.cpu_ns) || !cursor_take(&c, " ") ||
	    !cursor_take_number(&c, UINT64_MAX, &stat.runqueue_ns) || !cursor_take(&c, " ") ||
	    !cursor_take_number(&c, UINT64_MAX, &stat.slices))
		return -EINVAL;
	*out = stat;
	return 0;
}

/* What the lines of a status say, each as a number. */
enum status_row {
	STATUS_TGID,
	STATUS_PID,
	STATUS_PPID,
	STATUS_UID,
	STATUS_NSPID,
	STATUS_KTHREAD,
	STATUS_THREADS,
	STATUS_VOLUNTARY,
	STATUS_INVOLUNTARY,
	STATUS_ROWS
};

static const struct {
	const char *name;
	uint64_t most;
} status_rows[STATUS_ROWS] = {
	[STATUS_TGID] = { "Tgid:", MOST_PID },
	[STATUS_PID] = { "Pid:", MOST_PID },
	[STATUS_PPID] = { "PPid:", MOST_PID },
	[STATUS_UID] = { "Uid:", UINT32_MAX },
	[STATUS_NSPID] = { "NSpid:", MOST_PID },
	[STATUS_KTHREAD] = { "Kthread:", 1 },
	[STATUS_THREADS] = { "Threads:", UINT64_MAX },
	[STATUS_VOLUNTARY] = { "voluntary_ctxt_switches:", UINT64_MAX },
	[STATUS_INVOLUNTARY] = { "nonvoluntary_ctxt_switches:", UINT64_MAX },
};

/* NSpid has a number for each PID namespace, the innermost last; of the others the first counts. */
static bool take_status_value(struct cursor *line, enum status_row row, uint64_t *value)
{
	bool found = false;

	do {
		cursor_skip_blanks(line);
		if (!cursor_take_number(line, status_rows[row].most, value))
			return found && cursor_take(line, "\n");
		found = true;
	} while (row == STATUS_NSPID);
	return true;
}

/* Nobody but the kernel begins a line: it writes a newline in a name as "\n". */
static unsigned int take_status_rows(struct cursor *c, uint64_t values[STATUS_ROWS])
{
	unsigned int found = 0;
	struct cursor line;

	while (cursor_take_line(c, &line))
		for (unsigned int row = 0; row < STATUS_ROWS; row++)
			if (cursor_take(&line, status_rows[row].name) &&
			    take_status_value(&line, row, &values[row]))
				found |= 1U << row;
	return found;
}

int proc_parse_status(const char *text, size_t len, struct proc_status *out)
{
	const unsigned int needed =
		1U << STATUS_TGID | 1U << STATUS_PID | 1U << STATUS_PPID | 1U << STATUS_UID;
	const unsigned int switches = 1U << STATUS_VOLUNTARY | 1U << STATUS_INVOLUNTARY;
	struct cursor c = cursor_over(text, len);
	uint64_t values[STATUS_ROWS] = { 0 };
	unsigned int found = take_status_rows(&c, values);

	if ((found & needed) != needed)
		return -EINVAL;
	*out = (struct proc_status){
		.tgid = (pid_t)values[STATUS_TGID],
		.pid = (pid_t)values[found & 1U << STATUS_NSPID ? STATUS_NSPID : STATUS_PID],
		.ppid = (pid_t)values[STATUS_PPID],
		.uid = (uid_t)values[STATUS_UID],
		.threads = found & 1U << STATUS_THREADS ? values[STATUS_THREADS] : 0,
		.switches_known = (found & switches) == switches,
		.kernel_thread_known = found & 1U << STATUS_KTHREAD,
		.kernel_thread = found & 1U << STATUS_KTHREAD && values[STATUS_KTHREAD],
	};
	if (out->switches_known) {
		out->voluntary_switches = values[STATUS_VOLUNTARY];
		out->involuntary_switches = values[STATUS_INVOLUNTARY];
	}
	return 0;
}

/* "-1 0xSP 0xPC" or "NUMBER 0xARG... 0xSP 0xPC": `count` numbers in base 16. */
static bool take_registers(struct cursor *c, uint64_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!cursor_take(c, " ") || !cursor_take_hex(c, &values[i]))
			return false;
	return true;
}

int proc_parse_syscall(const char *text, size_t len, struct proc_syscall *out)
{
	struct cursor c = cursor_over(text, len);
	struct proc_syscall call = { .number = -1 };
	uint64_t number, sp_pc[2];

	if (cursor_take(&c, "running\n")) {
		call.running = true;
	} else if (cursor_take(&c, "-1")) {
		if (!take_registers(&c, sp_pc, 2))
			return -EINVAL;
	} else {
		if (!cursor_take_number(&c, INT64_MAX, &number) ||
		    !take_registers(&c, call.args, 6) || !take_registers(&c, sp_pc, 2))
			return -EINVAL;
		call.number = (int64_t)number;
	}
	*out = call;
	return 0;
}

static bool in_symbol(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.';
}

int proc_parse_wchan(const char *text, size_t len, char out[WCHAN_LEN])
{
	if (len && text[len - 1] == '\n')
		len--;
	if (len >= WCHAN_LEN)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (!in_symbol(text[i]))
			return -EINVAL;
	if (len == 1 && text[0] == '0')
		len = 0;
	memset(out, 0, WCHAN_LEN);
	if (len)
		memcpy(out, text, len);
	return 0;
}

struct fd_name {
	const char *name;
	enum proc_fd_kind kind;
};

static bool find_name(const struct cursor *c, const struct fd_name *names, size_t count,
		      enum proc_fd_kind *kind)
{
	for (size_t i = 0; i < count; i++) {
		struct cursor rest = *c;

		if (cursor_take(&rest, names[i].name)) {
			*kind = names[i].kind;
			return true;
		}
	}
	return false;
}

/* Behind "anon_inode:": some have no brackets, and nothing follows. */
static enum proc_fd_kind anonymous_kind(struct cursor name)
{
	static const struct fd_name names[] = {
		{ "eventpoll", PROC_FD_EVENTPOLL },     { "eventfd", PROC_FD_EVENTFD },
		{ "timerfd", PROC_FD_TIMERFD },         { "signalfd", PROC_FD_SIGNALFD },
		{ "inotify", PROC_FD_INOTIFY },         { "io_uring", PROC_FD_IO_URING },
		{ "userfaultfd", PROC_FD_USERFAULTFD },
	};

	if (cursor_take(&name, "[")) {
		if (cursor_at_end(&name) || name.end[-1] != ']')
			return PROC_FD_OTHER;
		name.end--;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (cursor_equals(&name, names[i].name))
			return names[i].kind;
	return PROC_FD_OTHER;
}

static void parse_fd_path(struct cursor path, struct proc_fd_link *link)
{
	static const struct fd_name gpus[] = {
		{ "/dev/nvidia", PROC_FD_GPU },     { "/dev/dri/", PROC_FD_GPU },
		{ "/dev/kfd", PROC_FD_GPU },        { "/dev/accel/", PROC_FD_GPU },
		{ "/dev/habanalabs", PROC_FD_GPU }, { "/dev/neuron", PROC_FD_GPU },
	};
	static const char deleted[] = " (deleted)";
	const ptrdiff_t len = sizeof(deleted) - 1;

	link->kind = PROC_FD_PATH;
	find_name(&path, gpus, sizeof(gpus) / sizeof(gpus[0]), &link->kind);
	link->deleted =
		path.end - path.at > len && memcmp(path.end - len, deleted, (size_t)len) == 0;
}

/* "123]" */
static bool take_inode(struct cursor *c, uint64_t *inode)
{
	return cursor_take_number(c, UINT64_MAX, inode) && cursor_take(c, "]") && cursor_at_end(c);
}

int proc_parse_fd_link(const char *text, size_t len, struct proc_fd_link *out)
{
	struct cursor c = cursor_over(text, len);
	struct proc_fd_link link = { .kind = PROC_FD_OTHER };

	if (cursor_at_end(&c) || memchr(text, '\0', len))
		return -EINVAL;
	if (*c.at == '/') {
		parse_fd_path(c, &link);
	} else if (cursor_take(&c, "anon_inode:")) {
		link.kind = anonymous_kind(c);
	} else if (cursor_take(&c, "socket:[")) {
		link.kind = PROC_FD_SOCKET;
		if (!take_inode(&c, &link.inode))
			return -EINVAL;
	} else if (cursor_take(&c, "pipe:[")) {
		link.kind = PROC_FD_PIPE;
		if (!take_inode(&c, &link.inode))
			return -EINVAL;
	}
	*out = link;
	return 0;
}
