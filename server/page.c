/* SPDX-License-Identifier: Apache-2.0 */
#include "server/page.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "server/identifier.h"

#define BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define MARK   'u' /* what the bytes of a cursor begin with: another kind will have another */

_Static_assert(sodium_base64_ENCODED_LEN(STORE_MAX_ID + 1, BASE64) <= PAGE_CURSOR_LEN + 1,
	       "the longest cursor");

static enum status read_limit(const char *text, size_t *limit_out, struct err *err)
{
	size_t n_digits = strspn(text, "0123456789");
	unsigned long limit = strtoul(text, NULL, 10); /* ULONG_MAX if it is beyond */

	if (n_digits == 0 || text[n_digits] != '\0' || limit < 1 || limit > PAGE_MAX_LIMIT)
		return err_at(err, STATUS_INVALID_VALUE, "?limit", "want a number from 1 to %d",
			      PAGE_MAX_LIMIT);
	*limit_out = limit;
	return STATUS_OK;
}

static enum status read_cursor(const char *text, char after_out[STORE_MAX_ID + 1], struct err *err)
{
	char bytes[STORE_MAX_ID + 1];
	size_t len;

	if (sodium_base642bin((unsigned char *)bytes, sizeof(bytes), text, strlen(text), NULL, &len,
			      NULL, BASE64) != 0 ||
	    len == 0 || bytes[0] != MARK ||
	    identifier_check(bytes + 1, len - 1, 1, "?cursor", NULL) != STATUS_OK)
		return err_at(err, STATUS_INVALID_VALUE, "?cursor",
			      "want the next_cursor of an answer, as it is");
	memcpy(after_out, bytes + 1, len - 1);
	after_out[len - 1] = '\0';
	return STATUS_OK;
}

enum status page_read(const struct page_source *source, struct page *page_out, struct err *err)
{
	enum status status = STATUS_OK;

	*page_out = (struct page){.limit = PAGE_LIMIT};
	if (source->limit != NULL)
		status = read_limit(source->limit, &page_out->limit, err);
	if (status == STATUS_OK && source->cursor != NULL)
		status = read_cursor(source->cursor, page_out->after, err);
	return status;
}

void page_cursor(const char *last, char cursor_out[PAGE_CURSOR_LEN + 1])
{
	unsigned char bytes[STORE_MAX_ID + 1] = {MARK};
	size_t len = strlen(last);

	memcpy(bytes + 1, last, len);
	sodium_bin2base64(cursor_out, PAGE_CURSOR_LEN + 1, bytes, len + 1, BASE64);
}
