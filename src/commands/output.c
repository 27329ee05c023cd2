// SPDX-License-Identifier: BSD-2-Clause
#include "commands/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_fault(const struct output *output, int err, struct fault *fault)
{
	return fault_set(fault, err, "cannot write to %s: %s", output->name, strerror(-err));
}

int output_open(struct output *output, const char *path, struct fault *fault)
{
	*output = (struct output){ .fd = STDOUT_FILENO, .name = path ? path : "standard output" };
	if (path)
		output->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (output->fd < 0)
		return write_fault(output, -errno, fault);
	/* Standard output may have been closed by the caller (main.c): found now, not after the run. */
	if ((fcntl(output->fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return write_fault(output, -EBADF, fault);
	output->stream = open_memstream(&output->data, &output->size);
	if (!output->stream) {
		output_close(output);
		return fault_set(fault, -ENOMEM, "out of memory");
	}
	return 0;
}

int output_flush(struct output *output, struct fault *fault)
{
	struct stat st;
	size_t done = 0;

	if (fflush(output->stream) != 0 || ferror(output->stream))
		return fault_set(fault, -ENOMEM, "out of memory");
	if (output->fd != STDOUT_FILENO && !output->written && fstat(output->fd, &st) == 0 &&
	    S_ISREG(st.st_mode) && ftruncate(output->fd, 0) != 0)
		return write_fault(output, -errno, fault);
	output->written = true;
	while (done < output->size) {
		ssize_t n = write(output->fd, output->data + done, output->size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return write_fault(output, -errno, fault);
		done += (size_t)n;
	}
	rewind(output->stream);
	return 0;
}

void output_close(struct output *output)
{
	if (output->stream)
		fclose(output->stream);
	free(output->data);
	if (output->fd > STDERR_FILENO)
		close(output->fd);
	*output = (struct output){ .fd = -1 };
}

unsigned int output_terminal_lines(const struct output *output)
{
	struct winsize size;

	if (ioctl(output->fd, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_row;
}
