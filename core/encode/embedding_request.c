/* SPDX-License-Identifier: Apache-2.0 */
/* embedding_request.c - the bytes that ask an embedding server for vectors (embedding_api.h). */
#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/encode/embedding_api.h"
#include "core/json/quoted.h"

#define ESCAPE_MAX 6 /* bytes of \u00XX */

/* Counts while bytes is NULL. */
struct writer {
	char *bytes;
	size_t len;
};

static void put(struct writer *w, const char *bytes, size_t len)
{
	if (w->bytes != NULL && len > 0)
		memcpy(w->bytes + w->len, bytes, len);
	w->len += len;
}

static void put_string(struct writer *w, const char *string)
{
	put(w, string, strlen(string));
}

static void put_escape(struct writer *w, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	const char escape[ESCAPE_MAX] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
	const char pair[2] = {'\\', (char)c};

	if (c < ' ')
		put(w, escape, sizeof(escape));
	else
		put(w, pair, sizeof(pair));
}

static void put_quoted(struct writer *w, struct text text)
{
	size_t i = 0;

	put_string(w, "\"");
	while (i < text.len) {
		size_t n = quoted_plain(text.bytes + i, text.len - i);

		put(w, text.bytes + i, n);
		i += n;
		if (i < text.len)
			put_escape(w, (unsigned char)text.bytes[i++]);
	}
	put_string(w, "\"");
}

static void put_request(struct writer *w, enum embedding_api api, const char *members,
			const struct text *texts, size_t n_texts)
{
	bool is_tei = api == EMBEDDING_API_TEI;

	put_string(w, is_tei ? "{\"inputs\":[" : "{\"input\":[");
	for (size_t i = 0; i < n_texts; i++) {
		if (i > 0)
			put_string(w, ",");
		put_quoted(w, texts[i]);
	}
	put_string(w, "]");
	/* a third of the bytes of decimal digits, and each number as it is */
	if (!is_tei && strstr(members, "\"encoding_format\":") == NULL)
		put_string(w, ",\"encoding_format\":\"base64\"");
	if (members[0] != '\0') {
		put_string(w, ",");
		put_string(w, members);
	}
	put_string(w, "}");
}

char *embedding_request_make(enum embedding_api api, const char *members, const struct text *texts,
			     size_t n_texts, size_t *len_out)
{
	struct writer w = {0};

	put_request(&w, api, members, texts, n_texts);
	w.bytes = mem_array(w.len, 1);
	if (w.bytes == NULL)
		return NULL;
	w.len = 0;
	put_request(&w, api, members, texts, n_texts);
	*len_out = w.len;
	return w.bytes;
}

size_t embedding_request_size(struct text text)
{
	struct writer w = {0};

	put_quoted(&w, text);
	return w.len + 1; /* the comma */
}
