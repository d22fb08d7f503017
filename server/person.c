/* SPDX-License-Identifier: Apache-2.0 */
#include "server/person.h"

#include <stdio.h>
#include <string.h>
#include <unistr.h>

#include "server/identifier.h"
#include "server/percent.h"
#include "server/store.h"

/* One of the two, and what it is called. */
struct source {
	const char *query, *header;
	const char *query_name, *header_name;
	size_t min_len;
};

static enum status fault_at(const char *name, enum status status, struct err *err)
{
	if (status != STATUS_OK && err != NULL)
		snprintf(err->param, sizeof(err->param), "%s", name);
	return status;
}

static enum status take(const char *bytes, size_t len, const struct source *source,
			const char *name, struct arena *arena, const char **out, struct err *err)
{
	enum status status = identifier_check(bytes, len, source->min_len, name, err);

	if (status != STATUS_OK)
		return status;
	*out = arena_string(arena, bytes, len);
	return *out == NULL ? err_no_memory(err, "the request") : STATUS_OK;
}

static enum status read_query(const struct source *source, struct arena *arena, const char **out,
			      struct err *err)
{
	char text[STORE_MAX_ID + 1];
	size_t len;
	enum status status = percent_decode(source->query, true, STORE_MAX_ID, text, &len, err);

	if (status != STATUS_OK)
		return fault_at(source->query_name, status, err);
	return take(text, len, source, source->query_name, arena, out, err);
}

static enum status read_header(const struct source *source, struct arena *arena, const char **out,
			       struct err *err)
{
	size_t len = strlen(source->header);

	if (u8_check((const uint8_t *)source->header, len) != NULL)
		return err_at(err, STATUS_MALFORMED, source->header_name, "not valid UTF-8");
	return take(source->header, len, source, source->header_name, arena, out, err);
}

/* *out is left alone if it is in neither. */
static enum status read_source(const struct source *source, struct arena *arena, const char **out,
			       struct err *err)
{
	const char *query = NULL, *header = NULL;
	enum status status = STATUS_OK;

	if (source->query != NULL)
		status = read_query(source, arena, &query, err);
	if (status == STATUS_OK && source->header != NULL)
		status = read_header(source, arena, &header, err);
	if (status != STATUS_OK)
		return status;
	if (query != NULL && header != NULL && strcmp(query, header) != 0)
		return err_at(err, STATUS_INVALID_VALUE, source->header_name,
			      "the query has another value of %s, want one", source->query_name);
	if (query != NULL || header != NULL)
		*out = query != NULL ? query : header;
	return STATUS_OK;
}

enum status person_read(const struct person_source *source, struct arena *arena,
			struct person *person_out, struct err *err)
{
	const struct source user = {source->query_user, source->header_user, "?user",
				    "X-Micro-User", 1};
	const struct source context = {source->query_context, source->header_context, "?context",
				       "X-Micro-Context", 0};
	enum status status;

	*person_out = (struct person){.context = ""};
	status = read_source(&user, arena, &person_out->user, err);
	if (status == STATUS_OK)
		status = read_source(&context, arena, &person_out->context, err);
	return status;
}
