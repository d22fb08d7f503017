/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status.h - the one list of outcomes: name, machine code, HTTP status.
 *
 * Every fallible function returns one of these; 0 is success. The machine code
 * is what clients read in an error body and what logs and metrics show.
 */
#ifndef MICRO_BASE_STATUS_H
#define MICRO_BASE_STATUS_H

/* X(name, code, HTTP status) */
#define STATUS_TABLE(X)                                                                            \
	X(STATUS_OK, "ok", 200)                                                                    \
	/* the input cannot be parsed */                                                           \
	X(STATUS_MALFORMED, "malformed", 400)                                                      \
	/* it parses, but its content is wrong */                                                  \
	X(STATUS_INVALID_TYPE, "invalid_type", 422)                                                \
	X(STATUS_INVALID_VALUE, "invalid_value", 422)                                              \
	X(STATUS_MISSING_FIELD, "missing_field", 422)                                              \
	X(STATUS_UNKNOWN_FIELD, "unknown_field", 422)                                              \
	X(STATUS_WRONG_DIMENSION, "wrong_dimension", 422)                                          \
	X(STATUS_NOT_FINITE, "not_finite", 422)                                                    \
	X(STATUS_INVALID_BASE64, "invalid_base64", 422)                                            \
	X(STATUS_EVENT_ID_REUSED, "event_id_reused", 422)                                          \
	X(STATUS_IN_PROGRESS, "in_progress", 409)                                                  \
	X(STATUS_MODEL_MISMATCH, "model_mismatch", 422)                                            \
	/* receipts */                                                                             \
	X(STATUS_RECEIPT_MALFORMED, "receipt_malformed", 422)                                      \
	X(STATUS_RECEIPT_TRUNCATED, "receipt_truncated", 422)                                      \
	X(STATUS_RECEIPT_FORGED, "receipt_forged", 422)                                            \
	X(STATUS_RECEIPT_EXPIRED, "receipt_expired", 422)                                          \
	X(STATUS_RECEIPT_FOREIGN, "receipt_foreign", 422)                                          \
	X(STATUS_RECEIPT_REPLAYED, "receipt_replayed", 422)                                        \
	/* HTTP */                                                                                 \
	X(STATUS_UNAUTHORIZED, "unauthorized", 401)                                                \
	X(STATUS_FORBIDDEN, "forbidden", 403)                                                      \
	X(STATUS_NOT_FOUND, "not_found", 404)                                                      \
	X(STATUS_METHOD_NOT_ALLOWED, "method_not_allowed", 405)                                    \
	X(STATUS_TOO_LARGE, "too_large", 413)                                                      \
	X(STATUS_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415)                            \
	/* resources; what may pass when tried again is 503 */                                     \
	X(STATUS_OVERLOADED, "overloaded", 503)                                                    \
	X(STATUS_RATE_LIMITED, "rate_limited", 503)                                                \
	X(STATUS_SHUTTING_DOWN, "shutting_down", 503)                                              \
	X(STATUS_NO_MEMORY, "no_memory", 503)                                                      \
	X(STATUS_STATE_BUSY, "state_busy", 503)                                                    \
	X(STATUS_STATE_FULL, "state_full", 507)                                                    \
	X(STATUS_STATE_CORRUPT, "state_corrupt", 500)                                              \
	X(STATUS_STATE_SCHEMA, "state_schema", 500)                                                \
	X(STATUS_IO, "io_error", 500)                                                              \
	/* model and encoder files */                                                              \
	X(STATUS_BAD_FILE, "bad_file", 500)                                                        \
	X(STATUS_ENCODER_MISMATCH, "encoder_mismatch", 503)                                        \
	/* a server that encodes texts */                                                          \
	X(STATUS_ENCODER_DOWN, "encoder_down", 503)                                                \
	X(STATUS_ENCODER_FAULT, "encoder_fault", 503)                                              \
	X(STATUS_ENCODER_REFUSED, "encoder_refused", 422)                                          \
	/* programs */                                                                             \
	X(STATUS_USAGE, "usage", 500)                                                              \
	X(STATUS_INTERRUPTED, "interrupted", 503)                                                  \
	X(STATUS_INTERNAL, "internal", 500)

enum status {
#define STATUS_ENUM(name, code, http) name,
	STATUS_TABLE(STATUS_ENUM)
#undef STATUS_ENUM
	    N_STATUSES
};

/** status_code(status): the machine code, such as "wrong_dimension"; static. */
const char *status_code(enum status status);

/** status_http(status): the HTTP status that answers a request with it. */
int status_http(enum status status);

#endif
