/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receipt_key.h - the secret that signs receipts: 32 bytes, 64 hexadecimal digits in a file
 * that only its owner may read, or in the environment. Nodes that share it take each other's
 * receipts.
 */
#ifndef MICRO_SERVER_RECEIPT_KEY_H
#define MICRO_SERVER_RECEIPT_KEY_H

#include <sodium.h>

#include "core/base/err.h"
#include "server/identifier.h"

struct receipt_key {
	unsigned char bytes[crypto_auth_hmacsha256_KEYBYTES];
};

/** receipt_key_parse(text, key_out, err): 64 hexadecimal digits, and white space after them.
 * STATUS_INVALID_VALUE; the message never quotes the text. */
enum status receipt_key_parse(const char *text, struct receipt_key *key_out, struct err *err);

/**
 * receipt_key_load(path, random_bytes, key_out, err): read the file; one that is not there is
 * made first, with a new key and mode 0600. Errors name path: STATUS_IO, STATUS_BAD_FILE (no
 * key in it, or others than its owner may read or write it).
 */
enum status receipt_key_load(const char *path, random_bytes_fn *random_bytes,
			     struct receipt_key *key_out, struct err *err);

/** receipt_key_check(path, err): as receipt_key_load(), but nothing is made: STATUS_NOT_FOUND. */
enum status receipt_key_check(const char *path, struct err *err);

#endif
