/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields of CSV as RFC 4180 has them. */
#ifndef WHYSTALL_SHOW_CSV_H
#define WHYSTALL_SHOW_CSV_H

#include <stdio.h>

/* Write one field, quoted where needed; control characters and invalid UTF-8 become \xNN. */
void csv_field(FILE *out, const char *text);

#endif
