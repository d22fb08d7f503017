/* SPDX-License-Identifier: Apache-2.0 */
#include "server/identifier.h"

#include <stdint.h>
#include <string.h>
#include <unistr.h>

#include "server/store.h"

static bool is_control(ucs4_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

static enum status check_characters(const uint8_t *s, size_t len, const char *param,
				    struct err *err)
{
	for (size_t i = 0; i < len;) {
		ucs4_t c;
		int n = u8_mbtoucr(&c, s + i, len - i);

		if (n <= 0)
			return err_at(err, STATUS_INVALID_VALUE, param,
				      "byte %zu is not valid UTF-8", i);
		if (is_control(c))
			return err_at(err, STATUS_INVALID_VALUE, param,
				      "byte %zu is the control character U+%04X, want none", i,
				      (unsigned)c);
		i += (size_t)n;
	}
	return STATUS_OK;
}

enum status identifier_check(const char *bytes, size_t len, size_t min_len, const char *param,
			     struct err *err)
{
	if (len < min_len || len > STORE_MAX_ID)
		return err_at(err, STATUS_INVALID_VALUE, param, "%zu bytes, want %zu to %d", len,
			      min_len, STORE_MAX_ID);
	return check_characters((const uint8_t *)bytes, len, param, err);
}

bool identifier_is_request_id(const char *text)
{
	size_t len = strnlen(text, REQUEST_ID_MAX + 1);

	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	}
	return len >= 1 && len <= REQUEST_ID_MAX;
}

void identifier_uuid(random_bytes_fn *random_bytes, char uuid_out[UUID_LEN + 1])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t b[16];
	char *out = uuid_out;

	random_bytes(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40); /* version 4 */
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80); /* the RFC's variant */
	for (size_t i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = hex[b[i] >> 4];
		*out++ = hex[b[i] & 15];
	}
	*out = '\0';
}
