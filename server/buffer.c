/* SPDX-License-Identifier: Apache-2.0 */
#include "server/buffer.h"

#include <string.h>
#include <unistr.h>

#include "core/base/mem.h"
#include "core/json/numeral.h"

#define BUFFER_FIRST 512u

static bool reserve(struct buffer *buffer, size_t n_more)
{
	size_t need, capacity;

	if (buffer->failed)
		return false;
	if (n_more <= buffer->capacity - buffer->len)
		return true;
	buffer->failed = true;
	if (__builtin_add_overflow(buffer->len, n_more, &need) || need > SIZE_MAX / 2)
		return false;
	capacity = buffer->capacity < BUFFER_FIRST ? BUFFER_FIRST : 2 * buffer->capacity;
	if (capacity < need)
		capacity = need;
	char *bytes = mem_grow(buffer->bytes, buffer->len, capacity, 1);
	if (bytes == NULL)
		return false;
	buffer->bytes = bytes;
	buffer->capacity = capacity;
	buffer->failed = false;
	return true;
}

void buffer_reserve(struct buffer *buffer, size_t n)
{
	(void)reserve(buffer, n);
}

void buffer_terminate(struct buffer *buffer)
{
	if (reserve(buffer, 1))
		buffer->bytes[buffer->len] = '\0';
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t n)
{
	if (n == 0 || !reserve(buffer, n))
		return;
	memcpy(buffer->bytes + buffer->len, bytes, n);
	buffer->len += n;
}

void buffer_add_uint(struct buffer *buffer, uint64_t x)
{
	if (reserve(buffer, NUMERAL_MAX))
		buffer->len += numeral_uint(x, buffer->bytes + buffer->len);
}

void buffer_add_number(struct buffer *buffer, double x)
{
	if (reserve(buffer, NUMERAL_MAX))
		buffer->len += numeral_double(x, buffer->bytes + buffer->len);
}

/* JSON's own short escapes; NULL: the byte has none. */
static const char *short_escape(unsigned char c)
{
	switch (c) {
	case '"':
		return "\\\"";
	case '\\':
		return "\\\\";
	case '\n':
		return "\\n";
	case '\r':
		return "\\r";
	case '\t':
		return "\\t";
	default:
		return NULL;
	}
}

static void add_escaped(struct buffer *buffer, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	const char *escape = short_escape(c);
	char code[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

	if (escape == NULL)
		buffer_add(buffer, code, sizeof(code));
	else
		buffer_add_string(buffer, escape);
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != 0x7f;
}

void buffer_add_quoted(struct buffer *buffer, const char *bytes, size_t len)
{
	const uint8_t *s = (const uint8_t *)bytes;
	size_t i = 0;

	buffer_add(buffer, "\"", 1);
	while (i < len) {
		size_t from = i;

		while (i < len && is_plain(s[i]))
			i++;
		buffer_add(buffer, s + from, i - from);
		if (i == len)
			break;
		if (s[i] < 0x80) {
			add_escaped(buffer, s[i++]);
			continue;
		}
		int n = u8_mblen(s + i, len - i);
		if (n > 0)
			buffer_add(buffer, s + i, (size_t)n);
		else
			buffer_add_string(buffer, "\xef\xbf\xbd");
		i += n > 0 ? (size_t)n : 1;
	}
	buffer_add(buffer, "\"", 1);
}

enum status buffer_status(const struct buffer *buffer, const char *what, struct err *err)
{
	return buffer->failed ? err_no_memory(err, what) : STATUS_OK;
}

void buffer_free(struct buffer *buffer)
{
	mem_free(buffer->bytes);
	*buffer = (struct buffer){0};
}
