/* SPDX-License-Identifier: Apache-2.0 */
/* http_head.h - what the head of a request says, besides method and path. */
#ifndef MICRO_SERVER_HTTP_HEAD_H
#define MICRO_SERVER_HTTP_HEAD_H

#include <microhttpd.h>
#include <stddef.h>

/* Headers and parameters of the query. */
enum head_field {
	HEAD_CONTENT_LENGTH,
	HEAD_TRANSFER_ENCODING,
	HEAD_EXPECT,
	HEAD_CONTENT_TYPE,
	HEAD_REQUEST_ID,
	HEAD_AUTHORIZATION,
	HEAD_USER,
	HEAD_CONTEXT,
	HEAD_IDEMPOTENCY_KEY,
	HEAD_QUERY_USER,
	HEAD_QUERY_CONTEXT,
	HEAD_QUERY_FORMAT,
	HEAD_QUERY_LIMIT,
	HEAD_QUERY_CURSOR,
	N_HEAD_FIELDS,
};

struct http_head {
	const char *value[N_HEAD_FIELDS]; /* the first of each name; NULL: none, or it has none */
	size_t n_lengths;		  /* fields that say how long the body is */
	/* what says two things where one is meant, as "?user" or "X-Micro-User"; NULL: none */
	const char *twofold;
};

/** http_head_read(connection, head_out): texts are the connection's, until its request is
 * completed. */
void http_head_read(struct MHD_Connection *connection, struct http_head *head_out);

#endif
