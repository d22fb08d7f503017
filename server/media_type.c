/* SPDX-License-Identifier: Apache-2.0 */
#include "server/media_type.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define TYPE "application/"

static bool is(const char *subtype, size_t len, const char *name)
{
	return len == strlen(name) && strncasecmp(subtype, name, len) == 0;
}

static bool ends_with(const char *subtype, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len >= n && strncasecmp(subtype + len - n, suffix, n) == 0;
}

enum media_type media_type_of(const char *content_type)
{
	const char *subtype;
	size_t len;

	if (content_type == NULL)
		return MEDIA_JSON;
	if (strncasecmp(content_type, TYPE, strlen(TYPE)) != 0)
		return MEDIA_OTHER;
	subtype = content_type + strlen(TYPE);
	len = strcspn(subtype, "; \t");
	if (is(subtype, len, "json") || ends_with(subtype, len, "+json"))
		return MEDIA_JSON;
	if (is(subtype, len, "x-ndjson"))
		return MEDIA_LINES;
	return is(subtype, len, "vnd.safetensors") ? MEDIA_SAFETENSORS : MEDIA_OTHER;
}
