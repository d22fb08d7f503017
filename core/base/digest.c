/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/digest.h"

#include <string.h>

void digest_init(struct digest *d)
{
	crypto_hash_sha256_init(&d->state);
}

void digest_add(struct digest *d, const void *bytes, size_t len)
{
	crypto_hash_sha256_update(&d->state, bytes, len);
}

void digest_add_string(struct digest *d, const char *string)
{
	digest_add(d, string, strlen(string) + 1);
}

void digest_hex(struct digest *d, char hex_out[DIGEST_HEX_LEN + 1])
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_final(&d->state, hash);
	sodium_bin2hex(hex_out, DIGEST_HEX_LEN + 1, hash, sizeof(hash));
}
