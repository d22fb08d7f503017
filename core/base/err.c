/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <unistr.h>

static void err_format(struct err *err, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void format_at(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* A text that was cut must not end within a character: what answers with it is UTF-8. */
static void drop_cut_character(char *text)
{
	size_t len = strlen(text), begin = len;

	while (begin > 0 && (text[begin - 1] & 0xc0) == 0x80)
		begin--;
	if (begin > 0 && u8_mblen((const uint8_t *)text + begin - 1, len - begin + 1) < 0)
		text[begin - 1] = '\0';
}

/* '?' for ASCII's control characters and U+0080 to U+009F: names in messages come from outside. */
static void hide_control_characters(char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

		if (c < 0x20 || c == 0x7f)
			text[0] = '?';
		else if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			text[0] = text[1] = '?';
	}
}

static void format_at(char *out, size_t size, const char *format, va_list args)
{
	if (vsnprintf(out, size, format, args) >= (int)size)
		drop_cut_character(out);
	hide_control_characters(out);
}

static void err_format(struct err *err, const char *format, va_list args)
{
	format_at(err->msg, sizeof(err->msg), format, args);
}

enum status err_set(struct err *err, enum status code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return code;
	err->code = code;
	err->param[0] = '\0';
	err->retry_after = 0;
	va_start(args, format);
	err_format(err, format, args);
	va_end(args);
	return code;
}

enum status err_at(struct err *err, enum status code, const char *param, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return code;
	err->code = code;
	err->retry_after = 0;
	if (snprintf(err->param, sizeof(err->param), "%s", param) >= (int)sizeof(err->param))
		drop_cut_character(err->param);
	va_start(args, format);
	err_format(err, format, args);
	va_end(args);
	return code;
}

enum status err_wrap(struct err *err, const char *format, ...)
{
	char inner[sizeof(err->msg)];
	va_list args;
	size_t len, room;

	if (err == NULL)
		return STATUS_INTERNAL;
	memcpy(inner, err->msg, sizeof(inner));
	va_start(args, format);
	err_format(err, format, args);
	va_end(args);
	len = strlen(err->msg);
	room = sizeof(err->msg) - len;
	if (snprintf(err->msg + len, room, ": %s", inner) >= (int)room)
		drop_cut_character(err->msg);
	return err->code;
}

void err_append(struct err *err, const char *format, ...)
{
	va_list args;
	size_t len;

	if (err == NULL)
		return;
	len = strlen(err->msg);
	va_start(args, format);
	format_at(err->msg + len, sizeof(err->msg) - len, format, args);
	va_end(args);
}

void err_retry_after(struct err *err, double seconds)
{
	if (err != NULL)
		err->retry_after = seconds > 1 ? (unsigned)ceil(seconds) : 1;
}

enum status err_no_memory(struct err *err, const char *what)
{
	return err_set(err, STATUS_NO_MEMORY, "out of memory for %s", what);
}

enum status err_errno(struct err *err, enum status code, const char *what)
{
	/* GNU strerror_r: the text may be static or in buffer */
	char buffer[128];
	const char *text = strerror_r(errno, buffer, sizeof(buffer));

	return err_set(err, code, "%s: %s", what, text);
}
