/* SPDX-License-Identifier: Apache-2.0 */
/* identifier.h - what may name a user, a context, an event or a request. */
#ifndef MICRO_SERVER_IDENTIFIER_H
#define MICRO_SERVER_IDENTIFIER_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

#define REQUEST_ID_MAX 128
#define UUID_LEN       36

/** Fills bytes [n] with randomness; injected, so that tests know what comes. */
typedef void random_bytes_fn(void *bytes, size_t n);

/**
 * identifier_check(bytes, len, min_len, param, err): valid UTF-8 without control
 * characters, min_len to STORE_MAX_ID bytes; STATUS_INVALID_VALUE at param otherwise.
 */
enum status identifier_check(const char *bytes, size_t len, size_t min_len, const char *param,
			     struct err *err);

/** identifier_is_request_id(text): 1 to REQUEST_ID_MAX visible ASCII characters. */
bool identifier_is_request_id(const char *text);

/** identifier_uuid(random_bytes, uuid_out): a random UUID (version 4, RFC 9562). */
void identifier_uuid(random_bytes_fn *random_bytes, char uuid_out[UUID_LEN + 1]);

#endif
