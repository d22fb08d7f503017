/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exchange.h - one request and its answer, from the headers to the last byte
 * sent. Everything made for it dies in api_close().
 */
#ifndef MICRO_SERVER_EXCHANGE_H
#define MICRO_SERVER_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "server/access.h"
#include "server/buffer.h"
#include "server/identifier.h"
#include "server/in_progress.h"
#include "server/live_model.h"
#include "server/media_type.h"
#include "server/page.h"
#include "server/person.h"
#include "server/route.h"
#include "server/service.h"
#include "server/store.h"

/* What the HTTP layer knows of a request once its headers are in. */
struct exchange_head {
	const char *method;
	const char *path;	   /* still escaped, without the query */
	const char *content_type;  /* NULL: none */
	const char *request_id;	   /* the client's, NULL: none */
	const char *authorization; /* NULL: none */
	struct person_source person;
	const char *format;	     /* "format" of the query; NULL: none */
	const char *idempotency_key; /* NULL: none */
	const char *twofold;	     /* which of these came with two values; NULL: none */
	struct page_source page;
};

struct protocol;
struct user_stream;
struct protocol_request;

struct exchange {
	/* the request */
	struct route_match match;
	char request_id[REQUEST_ID_MAX + 1];
	struct access_caller caller;
	double began; /* clock_monotonic() */
	enum media_type body_type;
	struct person_source person; /* these live as long as the connection's request */
	const char *format;
	const char *idempotency_key;
	const char *twofold;
	struct page_source page;
	struct buffer body;
	/* while it is answered */
	struct arena arena;
	struct served_model *served;	 /* the reference that this request holds; NULL: none yet */
	struct protocol_request *asked;	 /* in arena; NULL: it is no question */
	const struct protocol *protocol; /* in whose words; NULL: our own */
	struct feedback *feedback;	 /* in arena; NULL: it is none */
	struct in_progress_entry entry;	 /* of its Idempotency-Key, until it is answered */
	struct store_op op;		 /* what the writer is asked to do */
	struct err err;			 /* why it was refused, code STATUS_OK if it was not */
	/* the answer */
	int http_status; /* 0: not answered yet */
	const char *content_type;
	struct buffer answer; /* where an answer is made */
	const char *text;     /* [text_len]: the answer's body: in answer, or static */
	size_t text_len;
	struct user_stream *stream; /* makes the body instead; NULL: it is text */
};

#endif
