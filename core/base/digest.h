/* SPDX-License-Identifier: Apache-2.0 */
/*
 * digest.h - SHA-256 in hexadecimal, over Nettle, which takes the processor's own
 * instructions for it: features files of gigabytes are digested whole.
 */
#ifndef MICRO_BASE_DIGEST_H
#define MICRO_BASE_DIGEST_H

#include <stddef.h>

#include <nettle/sha2.h>

#include "core/base/err.h"

#define DIGEST_HEX_LEN 64

struct digest {
	struct sha256_ctx state;
};

/** digest_init(d): begin. */
void digest_init(struct digest *d);

/** digest_add(d, bytes, len): take in more. */
void digest_add(struct digest *d, const void *bytes, size_t len);

/** digest_add_string(d, string): the string with its NUL, so that "ab","c" != "a","bc". */
void digest_add_string(struct digest *d, const char *string);

/** digest_hex(d, hex_out): finish; lower-case hexadecimal, NUL-terminated. */
void digest_hex(struct digest *d, char hex_out[DIGEST_HEX_LEN + 1]);

#endif
