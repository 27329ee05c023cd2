// SPDX-License-Identifier: BSD-2-Clause
#include "collect/gpu.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

/* NVIDIA's driver has several, for its nodes nvidia0, nvidia-uvm, nvidia-caps; "kfd" and "drm" are AMD's. */
static const char *const gpu_drivers[] = {
	"nvidia*", "kfd", "drm", "accel", "habanalabs*", "neuron"
};

void gpu_majors_add_line(__u8 majors[GPU_MAJORS], const char *line)
{
	unsigned int major;
	char name[64];

	if (sscanf(line, "%u %63s", &major, name) != 2 || major >= GPU_MAJORS)
		return;
	for (size_t i = 0; i < sizeof(gpu_drivers) / sizeof(gpu_drivers[0]); i++)
		if (fnmatch(gpu_drivers[i], name, 0) == 0)
			majors[major] = 1;
}

int gpu_majors_read(const char *path, __u8 majors[GPU_MAJORS])
{
	FILE *f = fopen(path, "re");
	char line[128];

	if (!f)
		return -errno;
	/* Block devices come second, with numbers of their own. */
	while (fgets(line, sizeof(line), f) && strncmp(line, "Block", 5) != 0)
		gpu_majors_add_line(majors, line);
	fclose(f);
	return 0;
}
