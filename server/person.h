/* SPDX-License-Identifier: Apache-2.0 */
/*
 * person.h - user and context beside the body of a request: in its query (?user=u&context=c) or
 * in the headers X-Micro-User and X-Micro-Context.
 */
#ifndef MICRO_SERVER_PERSON_H
#define MICRO_SERVER_PERSON_H

#include "core/base/arena.h"
#include "core/base/err.h"

struct person {
	const char *user;    /* NULL: nobody is named */
	const char *context; /* "": none */
};

/* As they came; NULL: not there. Queries are percent-encoded still, headers are bytes of UTF-8. */
struct person_source {
	const char *query_user, *query_context;
	const char *header_user, *header_context;
};

/**
 * person_read(source, arena, person_out, err): strings live in arena. STATUS_MALFORMED for a bad
 * escape or bad UTF-8, STATUS_INVALID_VALUE for no identifier, or if query and header differ; the
 * place (err->param) is "?user" or the header's name.
 */
enum status person_read(const struct person_source *source, struct arena *arena,
			struct person *person_out, struct err *err);

#endif
