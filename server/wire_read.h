/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_read.h - request bodies (schema/openapi.yaml) into requests. Nothing
 * outside is trusted: every fault says what, where and what would be right.
 */
#ifndef MICRO_SERVER_WIRE_READ_H
#define MICRO_SERVER_WIRE_READ_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/base/arena.h"
#include "server/person.h"
#include "server/reader.h"
#include "server/service.h"

/* What a body is held to, and what was said beside it. */
struct wire_limits {
	size_t dim; /* of the model's vectors */
	size_t max_items;
	size_t max_responses;
	double max_strength;
	struct person person; /* of what names none itself; zeroed: nobody */
};

/**
 * wire_read_score(body, len, limits, arena, request_out, err): everything in
 * request_out lives in arena or is a part of body [len + 1], which ends with a NUL. Errors:
 * STATUS_MALFORMED with line and column if it is not JSON, the 422 ones with a
 * JSON pointer otherwise, STATUS_NO_MEMORY.
 */
enum status wire_read_score(const char *body, size_t len, const struct wire_limits *limits,
			    struct arena *arena, struct score_request *request_out,
			    struct err *err);

/** wire_read_question(reader, limits, request_out): the same from a body that is open already. */
enum status wire_read_question(const struct reader *reader, const struct wire_limits *limits,
			       struct score_request *request_out);

/** wire_make_items(reader, n, request_out), wire_make_responses(reader, n, question): room for n of
 * them, zeros, in the reader's arena. Error: STATUS_NO_MEMORY. */
enum status wire_make_items(const struct reader *reader, size_t n,
			    struct score_request *request_out);
enum status wire_make_responses(const struct reader *reader, size_t n, struct question *question);

/**
 * wire_read_prompt(reader, limits, object, item, out): the object's "prompt", which may be a text,
 * a vector or messages, or its "messages"; INPUT_ABSENT without either, STATUS_INVALID_VALUE for
 * both. item: the object's place, or PLACE_NONE.
 */
enum status wire_read_prompt(const struct reader *reader, const struct wire_limits *limits,
			     const struct node *object, size_t item, struct input *out);

/** wire_read_response(reader, limits, node, place, out): a text or a vector. */
enum status wire_read_response(const struct reader *reader, const struct wire_limits *limits,
			       const struct node *node, struct place place, struct input *out);

/** wire_read_feedback(body, len, limits, arena, feedback_out, err): as wire_read_score(). */
enum status wire_read_feedback(const char *body, size_t len, const struct wire_limits *limits,
			       struct arena *arena, struct feedback *feedback_out, struct err *err);

/** wire_read_reset(body, len, arena, context_out, err): NULL: all contexts. As
 * wire_read_score(). */
enum status wire_read_reset(const char *body, size_t len, struct arena *arena,
			    const char **context_out, struct err *err);

#endif
