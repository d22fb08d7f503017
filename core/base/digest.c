/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/digest.h"

#include <string.h>

#include <sodium.h>

void digest_init(struct digest *d)
{
	sha256_init(&d->state);
}

void digest_add(struct digest *d, const void *bytes, size_t len)
{
	sha256_update(&d->state, len, bytes);
}

void digest_add_string(struct digest *d, const char *string)
{
	digest_add(d, string, strlen(string) + 1);
}

void digest_hex(struct digest *d, char hex_out[DIGEST_HEX_LEN + 1])
{
	unsigned char hash[SHA256_DIGEST_SIZE];

	sha256_digest(&d->state, sizeof(hash), hash);
	sodium_bin2hex(hex_out, DIGEST_HEX_LEN + 1, hash, sizeof(hash));
}
