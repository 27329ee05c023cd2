/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages on stderr, each line beginning with "whystall: ". Used by commands and by main; the rooms
 * below return a struct fault instead. Bytes that a terminal could act on are escaped.
 */
#ifndef WHYSTALL_BASE_LOG_H
#define WHYSTALL_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Messages above this level are dropped; LOG_INFO at first. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

void log_message(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)

#endif
