/* SPDX-License-Identifier: BSD-2-Clause */
/* Quantities with units: as users write them, and as people read them. */
#ifndef WHYSTALL_BASE_UNITS_H
#define WHYSTALL_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { NS_PER_US = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

/*
 * "500ms", "1.5s", "2m", "1h"; a bare number is seconds. Zero and negative ones are refused. Returns
 * 0, -EINVAL for what is not a duration, -ERANGE above 10 years or below 1 ns.
 */
int duration_parse(const char *text, uint64_t *ns);

/* A positive whole number up to `max`. Returns 0, -EINVAL or -ERANGE. */
int count_parse(const char *text, uint64_t max, uint64_t *count);

/* "812 B", "64.0 KiB", "1.2 GiB". Returns `out`. */
char *bytes_format(char *out, size_t size, uint64_t bytes);

/* "850 ns", "12.3 us", "4.07 ms", "2.50 s": three digits. Returns `out`. */
char *duration_format(char *out, size_t size, double ns);

/* Nanoseconds as seconds. */
double duration_seconds(uint64_t ns);

/* A clock's time in nanoseconds. */
uint64_t time_now_ns(clockid_t clock);

/* RFC 3339 with milliseconds, in UTC. Returns `out`. */
char *time_format(char *out, size_t size, const struct timespec *time);

#endif
