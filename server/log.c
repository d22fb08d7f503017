/* SPDX-License-Identifier: Apache-2.0 */
#include "server/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/clock.h"

const char *const log_level_names[] = {"error", "warn", "info", "debug", NULL};

static enum log_level log_threshold = LOG_INFO;
static int log_fd = STDERR_FILENO;

void log_open(enum log_level level, int fd)
{
	log_threshold = level;
	log_fd = fd;
}

/* One byte stays free for the newline. */
static void add(struct log_line *line, const char *bytes, size_t n)
{
	size_t room = sizeof(line->text) - 1 - line->len;

	if (n > room)
		n = room;
	memcpy(line->text + line->len, bytes, n);
	line->len += n;
}

static void add_key(struct log_line *line, const char *key)
{
	add(line, " ", line->len > 0);
	add(line, key, strlen(key));
	add(line, "=", 1);
}

static bool needs_quotes(const char *value)
{
	if (*value == '\0')
		return true;
	for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
		if (*c <= ' ' || *c == '"' || *c == '=' || *c == '\\' || *c == 0x7f)
			return true;
	}
	return false;
}

static void add_quoted(struct log_line *line, const char *value)
{
	add(line, "\"", 1);
	for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
		char hex[8];
		int len;

		if (*c == '"' || *c == '\\')
			add(line, "\\", 1);
		if (*c >= ' ' && *c != 0x7f) {
			add(line, (const char *)c, 1);
			continue;
		}
		len = snprintf(hex, sizeof(hex), "\\x%02x", *c);
		add(line, hex, (size_t)len);
	}
	add(line, "\"", 1);
}

void log_text(struct log_line *line, const char *key, const char *value)
{
	if (!line->on)
		return;
	add_key(line, key);
	if (needs_quotes(value))
		add_quoted(line, value);
	else
		add(line, value, strlen(value));
}

void log_int(struct log_line *line, const char *key, int64_t value)
{
	char digits[24];

	if (!line->on)
		return;
	snprintf(digits, sizeof(digits), "%" PRId64, value);
	log_text(line, key, digits);
}

void log_real(struct log_line *line, const char *key, double value)
{
	char digits[32];

	if (!line->on)
		return;
	snprintf(digits, sizeof(digits), "%.6g", value);
	log_text(line, key, digits);
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
	char now[CLOCK_TEXT_LEN + 1];

	line->on = level <= log_threshold;
	line->len = 0;
	if (!line->on)
		return;
	clock_text(clock_now_us(), now);
	log_text(line, "time", now);
	log_text(line, "level", log_level_names[level]);
	log_text(line, "event", event);
}

void log_end(struct log_line *line)
{
	if (!line->on)
		return;
	line->text[line->len++] = '\n';
	/* nowhere to report a failed write of the log itself */
	if (write(log_fd, line->text, line->len) < 0)
		return;
}
