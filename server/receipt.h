/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receipt.h - what a score said, signed, for the client to keep: a feedback that shows it
 * needs no text, no second encoding and no memory of ours, on any node with the same key.
 *
 * A token is base64url, without padding, of little-endian bytes:
 *
 *   u8 version, u32 length of all that follows up to the MAC, i64 issued (microseconds since
 *   1970), 16 bytes nonce, u32 n_responses, u16 n_heads, three strings (user, context, model
 *   id), each u16 length and bytes, float32 logits [n_heads], float32 rewards [n_responses,
 *   n_heads], HMAC-SHA-256 (RFC 2104) of everything before it.
 *
 * The numbers are no secret, and a client can read them; it cannot change one bit of them.
 */
#ifndef MICRO_SERVER_RECEIPT_H
#define MICRO_SERVER_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sodium.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "server/receipt_key.h"

#define RECEIPT_NONCE_LEN 16
#define RECEIPT_ID_LEN	  40	     /* "receipt-" and the nonce in hexadecimal */
#define RECEIPT_MAX	  (64 << 10) /* bytes of a token: 1,000 numbers take 6 KB */

struct receipt {
	const char *user;    /* "": nobody */
	const char *context; /* "": none */
	const char *model_id;
	int64_t issued_us; /* microseconds since 1970 */
	unsigned char nonce[RECEIPT_NONCE_LEN];
	size_t n_responses, n_heads;
	const float *logits; /* [n_heads]: g(c,x) */
	const float *reward; /* [n_responses, n_heads]: r_k */
};

/* Who shows a receipt, and to which model. */
struct receipt_bearer {
	const char *user;    /* NULL: not said, whoever it was made for */
	const char *context; /* NULL: not said */
	const char *model_id;
};

/**
 * receipt_seal(receipt, key, arena, token_out, err): the token, NUL-terminated, in arena.
 * Errors: STATUS_TOO_LARGE past RECEIPT_MAX, STATUS_NO_MEMORY.
 */
enum status receipt_seal(const struct receipt *receipt, const struct receipt_key *key,
			 struct arena *arena, const char **token_out, struct err *err);

/**
 * receipt_open(token, len, key, arena, receipt_out, err): the inverse; strings and numbers live
 * in arena. Errors: STATUS_RECEIPT_MALFORMED (no token of this version),
 * STATUS_RECEIPT_TRUNCATED (its end is missing), STATUS_RECEIPT_FORGED (changed, or sealed with
 * another key), STATUS_NO_MEMORY. Nothing in a token is believed before its MAC is checked, in
 * constant time; its length only tells the first two errors apart.
 */
enum status receipt_open(const char *token, size_t len, const struct receipt_key *key,
			 struct arena *arena, struct receipt *receipt_out, struct err *err);

/**
 * receipt_check(receipt, now_us, max_age_us, bearer, err): may it be used now, by them?
 * Errors: STATUS_RECEIPT_EXPIRED, STATUS_RECEIPT_FOREIGN (another user, context or model).
 * One from the future is young: clocks of nodes differ, and a clock may be set back.
 */
enum status receipt_check(const struct receipt *receipt, int64_t now_us, int64_t max_age_us,
			  const struct receipt_bearer *bearer, struct err *err);

/** receipt_event_id(receipt, id_out): the id under which its feedback counts once. */
void receipt_event_id(const struct receipt *receipt, char id_out[RECEIPT_ID_LEN + 1]);

/** receipt_is_event_id(id): is it the id of a receipt's feedback? Clients may not choose one. */
bool receipt_is_event_id(const char *id);

#endif
