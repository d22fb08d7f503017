/* SPDX-License-Identifier: Apache-2.0 */
#include "server/idempotency_key.h"

#include <string.h>

#include "server/identifier.h"
#include "server/receipt.h"
#include "server/store.h"

#define HEADER "Idempotency-Key"

static enum status malformed(struct err *err)
{
	return err_at(err, STATUS_MALFORMED, HEADER,
		      "want a quoted string of visible ASCII characters and spaces, with \\ before "
		      "\" and \\");
}

/* Between the quotes at text[0] and at its end (RFC 9651, section 4.2.5) into key [max]. */
static enum status unquote(const char *text, char *key, size_t max, size_t *len_out,
			   struct err *err)
{
	size_t len = 0;

	for (text++; *text != '"'; text++) {
		if (*text == '\\' && *++text != '"' && *text != '\\')
			return malformed(err);
		if (*text < ' ' || *text > '~')
			return malformed(err);
		if (len == max)
			return err_at(err, STATUS_INVALID_VALUE, HEADER,
				      "more than %zu bytes, want 1 to %zu", max, max);
		key[len++] = *text;
	}
	*len_out = len;
	return text[1] == '\0' ? STATUS_OK : malformed(err);
}

enum status idempotency_key_take(const char *header, struct arena *arena, struct feedback *feedback,
				 struct err *err)
{
	char unquoted[STORE_MAX_ID];
	const char *key = header;
	size_t len = strlen(header);
	enum status status = STATUS_OK;

	if (header[0] == '"') {
		key = unquoted;
		status = unquote(header, unquoted, sizeof(unquoted), &len, err);
	}
	if (status == STATUS_OK)
		status = identifier_check(key, len, 1, HEADER, err);
	if (status != STATUS_OK)
		return status;
	key = arena_string(arena, key, len);
	if (key == NULL)
		return err_no_memory(err, "the request");
	if (feedback->choice != NULL)
		return err_at(err, STATUS_INVALID_VALUE, HEADER,
			      "a receipt is an id of its own and counts once, want no other beside "
			      "it");
	if (receipt_is_event_id(key))
		return err_at(err, STATUS_INVALID_VALUE, HEADER,
			      "ids that begin like this are those of receipts, want another");
	if (feedback->event_id != NULL && strcmp(feedback->event_id, key) != 0)
		return err_at(err, STATUS_INVALID_VALUE, HEADER,
			      "the body has another id, want the same or one of them");
	feedback->event_id = key;
	return STATUS_OK;
}
