/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void err_format(struct err *err, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void err_format(struct err *err, const char *format, va_list args)
{
	vsnprintf(err->msg, sizeof(err->msg), format, args);
}

enum status err_set(struct err *err, enum status code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return code;
	err->code = code;
	err->param[0] = '\0';
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
	snprintf(err->param, sizeof(err->param), "%s", param);
	va_start(args, format);
	err_format(err, format, args);
	va_end(args);
	return code;
}

enum status err_wrap(struct err *err, const char *format, ...)
{
	char inner[sizeof(err->msg)];
	va_list args;
	size_t len;

	if (err == NULL)
		return STATUS_INTERNAL;
	memcpy(inner, err->msg, sizeof(inner));
	va_start(args, format);
	err_format(err, format, args);
	va_end(args);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", inner);
	return err->code;
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
