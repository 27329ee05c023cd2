// SPDX-License-Identifier: BSD-2-Clause
#include "base/units.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double max_duration_s = 10.0 * 365 * 24 * 3600;

int duration_parse(const char *text, uint64_t *ns)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "", 1 },   { "s", 1 },    { "ms", 1e-3 }, { "us", 1e-6 }, { "ns", 1e-9 },
		      { "m", 60 }, { "min", 60 }, { "h", 3600 },  { "d", 86400 } };
	double value;
	char *end;

	/* strtod also takes blanks, a sign, hexadecimal, "inf" and "nan". */
	if (strspn(text, "0123456789.") == 0 || text[1] == 'x' || text[1] == 'X')
		return -EINVAL;
	value = strtod(text, &end);
	if (!isfinite(value))
		return -ERANGE;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double seconds = value * units[i].seconds;

		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (seconds > max_duration_s || seconds * 1e9 < 1)
			return -ERANGE;
		*ns = (uint64_t)llround(seconds * 1e9);
		return 0;
	}
	return -EINVAL;
}

int count_parse(const char *text, uint64_t max, uint64_t *count)
{
	char *end;

	if (strspn(text, "0123456789") == 0)
		return -EINVAL;
	errno = 0;
	*count = strtoull(text, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || *count > max || *count == 0)
		return -ERANGE;
	return 0;
}

char *bytes_format(char *out, size_t size, uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(out, size, "%llu B", (unsigned long long)bytes);
		return out;
	}
	for (value /= 1024; value >= 999.95 && unit < 5; unit++)
		value /= 1024;
	snprintf(out, size, "%.1f %s", value, units[unit]);
	return out;
}

char *duration_format(char *out, size_t size, double ns)
{
	static const struct {
		double ns;
		const char *unit;
	} units[] = { { 1e9, "s" }, { 1e6, "ms" }, { 1e3, "us" }, { 1, "ns" } };
	size_t unit = 0;
	double value;

	while (unit < 3 && ns < units[unit].ns * 0.9995)
		unit++;
	value = ns / units[unit].ns;
	snprintf(out, size, "%.*f %s",
		 value >= 99.95 ? 0 :
		 value >= 9.995 ? 1 :
				  2,
		 value, units[unit].unit);
	return out;
}

double duration_seconds(uint64_t ns)
{
	return (double)ns / NS_PER_S;
}

uint64_t time_now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

char *time_format(char *out, size_t size, const struct timespec *time)
{
	struct tm tm;
	char text[64];

	if (!gmtime_r(&time->tv_sec, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		text[0] = '\0';
	snprintf(out, size, "%s.%03ldZ", text, time->tv_nsec / NS_PER_MS);
	return out;
}
