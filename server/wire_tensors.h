/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire_tensors.h - requests whose vectors come as a safetensors file (Content-Type
 * application/vnd.safetensors), read where they are. Everything but the vectors is the
 * request's JSON, in __metadata__ under the key "request" (schema/openapi.yaml).
 *
 *   score      tensors responses [R, dim], prompt [1, dim] for all items or [n_items, dim];
 *              request: one item's fields, or "items" whose "responses" say how many of the
 *              R rows each has
 *   feedback   tensors chosen [1, dim], rejected [m, dim], prompt [1, dim]
 *
 * Of F32, F16 or BF16. A prompt may be left out where the model needs none.
 */
#ifndef MICRO_SERVER_WIRE_TENSORS_H
#define MICRO_SERVER_WIRE_TENSORS_H

#include "server/wire_read.h"

/**
 * wire_tensors_score(body, len, limits, arena, request_out, err): everything in request_out
 * lives in arena or is a part of body, which should be aligned to 4 bytes. Errors:
 * STATUS_MALFORMED, the 422 ones with a JSON pointer whose first part is a tensor's name or
 * "__metadata__", STATUS_NO_MEMORY.
 */
enum status wire_tensors_score(const char *body, size_t len, const struct wire_limits *limits,
			       struct arena *arena, struct score_request *request_out,
			       struct err *err);

/** wire_tensors_feedback(body, len, limits, arena, feedback_out, err): as the other. */
enum status wire_tensors_feedback(const char *body, size_t len, const struct wire_limits *limits,
				  struct arena *arena, struct feedback *feedback_out,
				  struct err *err);

#endif
