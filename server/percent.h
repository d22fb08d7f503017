/* SPDX-License-Identifier: Apache-2.0 */
/* percent.h - percent-encoding (RFC 3986, section 2.1). */
#ifndef MICRO_SERVER_PERCENT_H
#define MICRO_SERVER_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

/**
 * percent_decode(escaped, plus_is_space, max, out, len_out, err): into out [max + 1], with a NUL
 * after *len_out bytes of valid UTF-8, which may have NULs. plus_is_space: as in queries. Errors,
 * to be wrapped with what it is: STATUS_MALFORMED, STATUS_INVALID_VALUE for more than max bytes.
 */
enum status percent_decode(const char *escaped, bool plus_is_space, size_t max, char *out,
			   size_t *len_out, struct err *err);

#endif
