/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - the daemon's log on stderr: one line an event, key=value, values
 * quoted when they need it, one write(2) a line, so that threads never mix.
 *
 *   time=2026-01-01T00:00:00.000000Z level=info event=listening address=127.0.0.1 port=8080
 *
 * Texts, vectors and user ids never go in here: routes are logged as patterns.
 */
#ifndef MICRO_SERVER_LOG_H
#define MICRO_SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, N_LOG_LEVELS };

/* The names, NULL-terminated, as --log-level takes them. */
extern const char *const log_level_names[];

/* A line being made; what does not fit is cut. */
struct log_line {
	bool on; /* false: filtered out, the rest does nothing */
	size_t len;
	char text[2048];
};

/** log_open(level, fd): lines above level are dropped; before, LOG_INFO and stderr.
 * Call before other threads start. */
void log_open(enum log_level level, int fd);

/** log_begin(line, level, event): time, level and event. */
void log_begin(struct log_line *line, enum log_level level, const char *event);

/** log_text, log_int, log_real: one more key=value. */
void log_text(struct log_line *line, const char *key, const char *value);
void log_int(struct log_line *line, const char *key, int64_t value);
void log_real(struct log_line *line, const char *key, double value);

/** log_end(line): write it. */
void log_end(struct log_line *line);

#endif
