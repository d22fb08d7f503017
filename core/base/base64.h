/* SPDX-License-Identifier: Apache-2.0 */
/* base64.h - vectors of float32 as base64 (RFC 4648, section 4), strictly: one text for each. */
#ifndef MICRO_BASE_BASE64_H
#define MICRO_BASE_BASE64_H

#include <stddef.h>

#include "core/base/err.h"

/**
 * base64_encode_floats(x, n): standard base64 with padding of n little-endian
 * float32; a new string the caller frees with mem_free(), NULL without memory.
 */
char *base64_encode_floats(const float *x, size_t n);

/**
 * base64_decode_floats(text, len, dim, out, err): the inverse into out [dim].
 * Errors: STATUS_INVALID_BASE64 (a character or the padding is wrong),
 * STATUS_WRONG_DIMENSION (names got and wanted), STATUS_NOT_FINITE (names the index).
 */
enum status base64_decode_floats(const char *text, size_t len, size_t dim, float *out,
				 struct err *err);

#endif
