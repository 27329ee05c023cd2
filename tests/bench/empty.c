// SPDX-License-Identifier: BSD-2-Clause
/*
 * Attaches programs that do nothing, until it is killed or its parent ends.
 *
 *   empty OBJECT TRACEPOINT...
 *
 * Prints "tracing" when all are attached. A tracepoint that this kernel does not have is an error.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool is_wanted(const char *name, char *const *wanted)
{
	for (; *wanted; ++wanted)
		if (!strcmp(*wanted, name))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *program;

	if (argc < 3)
		errx(64, "usage: empty OBJECT TRACEPOINT...");
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		err(1, "cannot open %s", argv[1]);
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, is_wanted(bpf_program__name(program), argv + 2));
	if (bpf_object__load(object))
		err(1, "cannot load %s", argv[1]);
	bpf_object__for_each_program(program, object)
		if (bpf_program__autoload(program) && !bpf_program__attach(program))
			err(1, "cannot attach %s", bpf_program__name(program));
	puts("tracing");
	fflush(stdout);
	pause();
	return 0;
}
