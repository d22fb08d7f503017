/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_head.h"

#include <string.h>
#include <strings.h>

#define NAME(text) .name = (text), .len = sizeof(text) - 1

static const struct {
	const char *name;
	size_t len;
	enum MHD_ValueKind kind;
} fields[N_HEAD_FIELDS] = {
    [HEAD_CONTENT_LENGTH] = {NAME("Content-Length"), MHD_HEADER_KIND},
    [HEAD_TRANSFER_ENCODING] = {NAME("Transfer-Encoding"), MHD_HEADER_KIND},
    [HEAD_EXPECT] = {NAME("Expect"), MHD_HEADER_KIND},
    [HEAD_CONTENT_TYPE] = {NAME("Content-Type"), MHD_HEADER_KIND},
    [HEAD_REQUEST_ID] = {NAME("X-Request-Id"), MHD_HEADER_KIND},
    [HEAD_AUTHORIZATION] = {NAME("Authorization"), MHD_HEADER_KIND},
    [HEAD_USER] = {NAME("X-Micro-User"), MHD_HEADER_KIND},
    [HEAD_CONTEXT] = {NAME("X-Micro-Context"), MHD_HEADER_KIND},
    [HEAD_IDEMPOTENCY_KEY] = {NAME("Idempotency-Key"), MHD_HEADER_KIND},
    [HEAD_QUERY_USER] = {NAME("user"), MHD_GET_ARGUMENT_KIND},
    [HEAD_QUERY_CONTEXT] = {NAME("context"), MHD_GET_ARGUMENT_KIND},
    [HEAD_QUERY_FORMAT] = {NAME("format"), MHD_GET_ARGUMENT_KIND},
    [HEAD_QUERY_LIMIT] = {NAME("limit"), MHD_GET_ARGUMENT_KIND},
    [HEAD_QUERY_CURSOR] = {NAME("cursor"), MHD_GET_ARGUMENT_KIND},
};

/* One pass over all that there is, which is little, instead of one for each field. */
static enum MHD_Result take_field(void *context, enum MHD_ValueKind kind, const char *name,
				  const char *value)
{
	struct http_head *head = context;
	size_t len = strlen(name);

	for (size_t f = 0; f < N_HEAD_FIELDS; f++) {
		if (fields[f].len != len || fields[f].kind != kind ||
		    strcasecmp(fields[f].name, name) != 0)
			continue;
		if (head->value[f] == NULL)
			head->value[f] = value;
		head->n_lengths += f == HEAD_CONTENT_LENGTH || f == HEAD_TRANSFER_ENCODING;
	}
	return MHD_YES;
}

void http_head_read(struct MHD_Connection *connection, struct http_head *head_out)
{
	*head_out = (struct http_head){.n_lengths = 0};
	MHD_get_connection_values(connection, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND, take_field,
				  head_out);
}
