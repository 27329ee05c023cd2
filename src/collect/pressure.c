// SPDX-License-Identifier: BSD-2-Clause
#include "collect/pressure.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "collect/proc_parse.h"

static const char *const names[PRESSURES] = {
	[PRESSURE_CPU] = "cpu", [PRESSURE_IO] = "io", [PRESSURE_MEMORY] = "memory"
};

void pressure_read(struct sample *sample, const char *root)
{
	for (int i = 0; i < PRESSURES; i++) {
		struct proc_pressure pressure;
		char path[PATH_MAX], text[512];
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "%s/proc/pressure/%s", root, names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, text, sizeof(text));
		if (fd >= 0)
			close(fd);
		if (n > 0 && proc_parse_pressure(text, (size_t)n, &pressure) == 0 && pressure.known)
			sample->pressure[i] =
				(struct pressure_sample){ .known = true,
							  .some_us = pressure.some_us,
							  .full_us = pressure.full_us };
	}
}
