/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_key.h - one key of a client: its name, what it may do, and its hash; the key
 * itself is shown once, when it is made, and stored nowhere.
 *
 * A line of a key file is: name, scopes, hash.
 *
 *   trainer score,feedback sha256:9f86d081884c7d65...
 *
 * The hash is a single SHA-256. A password needs a slow hash because it can be guessed;
 * a key is 256 random bits, and nobody tries 2^256 of them however fast each try is. So
 * every request can afford the check, and a client cannot make the daemon burn time in it.
 */
#ifndef MICRO_SERVER_API_KEY_H
#define MICRO_SERVER_API_KEY_H

#include <stddef.h>

#include <sodium.h>

#include "core/base/err.h"
#include "server/identifier.h"

#define API_KEY_PREFIX	 "micro-" /* so that scanners for leaked secrets know one */
#define API_KEY_LEN	 49	  /* the prefix and 43 characters, base64url of 32 bytes */
#define API_KEY_MIN	 32	  /* bytes that a key may have which was made elsewhere */
#define API_KEY_MAX	 256
#define API_KEY_NAME_MAX 64
#define API_KEY_LINE_MAX 256 /* bytes that hold any line */

/* A set of these, as bits. */
enum scope { SCOPE_SCORE = 1, SCOPE_FEEDBACK = 2, SCOPE_ADMIN = 4, SCOPE_ALL = 7 };

struct api_key {
	char name[API_KEY_NAME_MAX + 1]; /* letters, digits and . _ - */
	unsigned scopes;
	unsigned char hash[crypto_hash_sha256_BYTES];
};

/** api_key_random(random_bytes, key_out): a new key, NUL-terminated. */
void api_key_random(random_bytes_fn *random_bytes, char key_out[API_KEY_LEN + 1]);

/** api_key_hash(key, len, hash_out). */
void api_key_hash(const char *key, size_t len, unsigned char hash_out[crypto_hash_sha256_BYTES]);

/** api_key_set_name(key, name, err): STATUS_INVALID_VALUE says what a name may be. */
enum status api_key_set_name(struct api_key *key, const char *name, size_t len, struct err *err);

/** scopes_parse(text, len, scopes_out, err): "score,feedback", or "none"; each at most
 * once. STATUS_INVALID_VALUE lists the scopes. */
enum status scopes_parse(const char *text, size_t len, unsigned *scopes_out, struct err *err);

/** scopes_text(scopes): as scopes_parse() reads them; static. */
const char *scopes_text(unsigned scopes);

/** api_key_parse(line, len, key_out, err): one line, without its end.
 * STATUS_INVALID_VALUE; the message never quotes the line, which may hold a key. */
enum status api_key_parse(const char *line, size_t len, struct api_key *key_out, struct err *err);

/** api_key_line(key, line_out): the line, without an end. */
void api_key_line(const struct api_key *key, char line_out[API_KEY_LINE_MAX]);

#endif
