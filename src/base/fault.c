// SPDX-License-Identifier: BSD-2-Clause
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>

int fault_set(struct fault *fault, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	fault->exit_code = EXIT_RUNTIME;
	return err;
}

int fault_set_exit(struct fault *fault, enum exit_code code, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	fault->exit_code = code;
	return err;
}
