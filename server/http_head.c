/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http_head.h"

#include <string.h>
#include <strings.h>

#define NAME(text)	.name = (text), .len = sizeof(text) - 1
#define HEADER(text)	NAME(text), .kind = MHD_HEADER_KIND
#define MEANT(text)	HEADER(text), .single = (text)
#define PARAMETER(text) NAME(text), .kind = MHD_GET_ARGUMENT_KIND, .single = "?" text

static const struct {
	const char *name;
	size_t len;
	enum MHD_ValueKind kind;
	const char *single; /* what it is called where it may not say two things; NULL: it may */
} fields[N_HEAD_FIELDS] = {
    [HEAD_CONTENT_LENGTH] = {HEADER("Content-Length")},
    [HEAD_TRANSFER_ENCODING] = {HEADER("Transfer-Encoding")},
    [HEAD_EXPECT] = {HEADER("Expect")},
    [HEAD_CONTENT_TYPE] = {HEADER("Content-Type")},
    [HEAD_REQUEST_ID] = {HEADER("X-Request-Id")},
    [HEAD_AUTHORIZATION] = {HEADER("Authorization")},
    [HEAD_USER] = {MEANT("X-Micro-User")},
    [HEAD_CONTEXT] = {MEANT("X-Micro-Context")},
    [HEAD_IDEMPOTENCY_KEY] = {MEANT("Idempotency-Key")},
    [HEAD_QUERY_USER] = {PARAMETER("user")},
    [HEAD_QUERY_CONTEXT] = {PARAMETER("context")},
    [HEAD_QUERY_FORMAT] = {PARAMETER("format")},
    [HEAD_QUERY_LIMIT] = {PARAMETER("limit")},
    [HEAD_QUERY_CURSOR] = {PARAMETER("cursor")},
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
		else if (fields[f].single != NULL && value != NULL &&
			 strcmp(head->value[f], value) != 0)
			head->twofold = fields[f].single;
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
