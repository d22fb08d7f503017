/* SPDX-License-Identifier: Apache-2.0 */
#include "server/receipt.h"

#include <assert.h>
#include <string.h>

#include "server/store.h"

#define VERSION	  1
#define ID_PREFIX "receipt-"
#define MAC_LEN	  crypto_auth_hmacsha256_BYTES
#define BASE64	  sodium_base64_VARIANT_URLSAFE_NO_PADDING

/* Bytes before the strings: up to and with the length, then the rest of fixed size. */
enum { HEAD_LEN = 1 + 4, FIXED_LEN = 8 + RECEIPT_NONCE_LEN + 4 + 2 };

_Static_assert(sizeof(ID_PREFIX) - 1 + 2 * RECEIPT_NONCE_LEN == RECEIPT_ID_LEN, "the id's length");
_Static_assert(STORE_MAX_ID <= UINT16_MAX && HEADS_MAX <= UINT16_MAX, "lengths fit");

/* Bytes being written, or read; the room was checked before. */
struct cursor {
	unsigned char *at;
	const unsigned char *end;
};

static void put(struct cursor *c, const void *bytes, size_t n)
{
	assert((size_t)(c->end - c->at) >= n);
	memcpy(c->at, bytes, n);
	c->at += n;
}

static void put_uint(struct cursor *c, uint64_t x, size_t n_bytes)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < n_bytes; i++)
		bytes[i] = (unsigned char)(x >> (8 * i));
	put(c, bytes, n_bytes);
}

static void put_string(struct cursor *c, const char *string)
{
	size_t len = strlen(string);

	put_uint(c, len, 2);
	put(c, string, len);
}

static void put_floats(struct cursor *c, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;

		memcpy(&bits, &x[i], sizeof(bits));
		put_uint(c, bits, sizeof(bits));
	}
}

/* false if fewer than n bytes are left */
static bool take(struct cursor *c, size_t n, const unsigned char **bytes_out)
{
	if ((size_t)(c->end - c->at) < n)
		return false;
	*bytes_out = c->at;
	c->at += n;
	return true;
}

static bool take_uint(struct cursor *c, size_t n_bytes, uint64_t *x_out)
{
	const unsigned char *bytes;

	if (!take(c, n_bytes, &bytes))
		return false;
	*x_out = 0;
	for (size_t i = 0; i < n_bytes; i++)
		*x_out |= (uint64_t)bytes[i] << (8 * i);
	return true;
}

static bool take_size(struct cursor *c, size_t n_bytes, size_t *x_out)
{
	uint64_t x;

	if (!take_uint(c, n_bytes, &x))
		return false;
	*x_out = (size_t)x;
	return true;
}

static size_t n_numbers(size_t n_responses, size_t n_heads)
{
	return (n_responses + 1) * n_heads;
}

static size_t sealed_len(const struct receipt *r)
{
	return HEAD_LEN + FIXED_LEN + 3 * 2 + strlen(r->user) + strlen(r->context) +
	       strlen(r->model_id) + n_numbers(r->n_responses, r->n_heads) * sizeof(float) +
	       MAC_LEN;
}

static void write_sealed(const struct receipt *r, const struct receipt_key *key,
			 unsigned char *bytes, size_t len)
{
	struct cursor c = {bytes, bytes + len};

	put_uint(&c, VERSION, 1);
	put_uint(&c, len - HEAD_LEN - MAC_LEN, 4);
	put_uint(&c, (uint64_t)r->issued_us, 8);
	put(&c, r->nonce, sizeof(r->nonce));
	put_uint(&c, r->n_responses, 4);
	put_uint(&c, r->n_heads, 2);
	put_string(&c, r->user);
	put_string(&c, r->context);
	put_string(&c, r->model_id);
	put_floats(&c, r->logits, r->n_heads);
	put_floats(&c, r->reward, r->n_responses * r->n_heads);
	assert(c.at + MAC_LEN == c.end);
	crypto_auth_hmacsha256(c.at, bytes, len - MAC_LEN, key->bytes);
}

enum status receipt_seal(const struct receipt *receipt, const struct receipt_key *key,
			 struct arena *arena, const char **token_out, struct err *err)
{
	/* heads and responses are bounded, their product is not */
	bool fits = receipt->n_responses < RECEIPT_MAX && receipt->n_heads < RECEIPT_MAX &&
		    sodium_base64_ENCODED_LEN(sealed_len(receipt), BASE64) - 1 <= RECEIPT_MAX;

	if (!fits)
		return err_set(err, STATUS_TOO_LARGE,
			       "a receipt for %zu responses and %zu heads would have more than %d "
			       "bytes, want fewer responses, or no receipt",
			       receipt->n_responses, receipt->n_heads, RECEIPT_MAX);

	size_t len = sealed_len(receipt), n_token = sodium_base64_ENCODED_LEN(len, BASE64);
	unsigned char *bytes = arena_array(arena, len, 1);
	char *token = arena_array(arena, n_token, 1);

	if (bytes == NULL || token == NULL)
		return err_no_memory(err, "a receipt");
	write_sealed(receipt, key, bytes, len);
	*token_out = sodium_bin2base64(token, n_token, bytes, len, BASE64);
	return STATUS_OK;
}

static enum status malformed(struct err *err)
{
	return err_set(err, STATUS_RECEIPT_MALFORMED,
		       "this is no receipt, want the text that a score's \"receipt\" had");
}

/* Is it whole, by its own word? */
static enum status check_length(const unsigned char *bytes, size_t len, struct err *err)
{
	struct cursor c = {(unsigned char *)bytes, bytes + len};
	size_t version, said;

	if (!take_size(&c, 1, &version) || version != VERSION)
		return malformed(err);
	if (!take_size(&c, 4, &said) || len - HEAD_LEN < said + MAC_LEN)
		return err_set(err, STATUS_RECEIPT_TRUNCATED,
			       "the receipt's end is missing, want all of it");
	return len - HEAD_LEN == said + MAC_LEN ? STATUS_OK : malformed(err);
}

static bool take_string(struct cursor *c, struct arena *arena, const char **out)
{
	const unsigned char *bytes;
	size_t len;

	*out = NULL;
	if (!take_size(c, 2, &len) || !take(c, len, &bytes))
		return false;
	*out = arena_string(arena, (const char *)bytes, len);
	return true;
}

static bool take_floats(struct cursor *c, struct arena *arena, size_t n, const float **out)
{
	const unsigned char *bytes;
	float *x;

	*out = NULL;
	/* n <= left / 4 before anything is allocated for it */
	if (n > (size_t)(c->end - c->at) / sizeof(float) || !take(c, n * sizeof(float), &bytes))
		return false;
	x = arena_array(arena, n, sizeof(*x));
	for (size_t i = 0; i < n && x != NULL; i++) {
		uint32_t bits = 0;

		for (size_t b = 0; b < sizeof(bits); b++)
			bits |= (uint32_t)bytes[i * sizeof(bits) + b] << (8 * b);
		memcpy(&x[i], &bits, sizeof(bits));
	}
	*out = x;
	return true;
}

/* What the MAC vouches for: a misfit in it is a fault of ours. */
static enum status read_payload(struct cursor *c, struct arena *arena, struct receipt *r,
				struct err *err)
{
	const unsigned char *nonce;
	uint64_t issued;

	if (!take_uint(c, 8, &issued) || !take(c, RECEIPT_NONCE_LEN, &nonce) ||
	    !take_size(c, 4, &r->n_responses) || !take_size(c, 2, &r->n_heads) ||
	    !take_string(c, arena, &r->user) || !take_string(c, arena, &r->context) ||
	    !take_string(c, arena, &r->model_id) ||
	    !take_floats(c, arena, r->n_heads, &r->logits) ||
	    !take_floats(c, arena, r->n_responses * r->n_heads, &r->reward) || c->at != c->end)
		return malformed(err);
	if (r->user == NULL || r->context == NULL || r->model_id == NULL || r->logits == NULL ||
	    r->reward == NULL)
		return err_no_memory(err, "a receipt");
	r->issued_us = (int64_t)issued;
	memcpy(r->nonce, nonce, sizeof(r->nonce));
	return STATUS_OK;
}

/* Decode base64url. Where a cut left part of a group of four characters, the whole ones before
 * it still tell that it is one. */
static enum status decode(const char *token, size_t len, unsigned char *bytes, size_t *n_out,
			  struct err *err)
{
	size_t n_whole = len - len % 4;
	const char *end;
	enum status status;

	if (sodium_base642bin(bytes, len, token, len, NULL, n_out, &end, BASE64) == 0 &&
	    end == token + len)
		return check_length(bytes, *n_out, err);
	if (sodium_base642bin(bytes, len, token, n_whole, NULL, n_out, &end, BASE64) != 0 ||
	    end != token + n_whole)
		return malformed(err);
	status = check_length(bytes, *n_out, err);
	return status == STATUS_OK ? malformed(err) : status;
}

enum status receipt_open(const char *token, size_t len, const struct receipt_key *key,
			 struct arena *arena, struct receipt *receipt_out, struct err *err)
{
	unsigned char *bytes;
	enum status status;
	size_t n;

	*receipt_out = (struct receipt){0};
	if (len == 0 || len > RECEIPT_MAX)
		return malformed(err);
	bytes = arena_array(arena, len, 1);
	if (bytes == NULL)
		return err_no_memory(err, "a receipt");
	status = decode(token, len, bytes, &n, err);
	if (status != STATUS_OK)
		return status;
	if (crypto_auth_hmacsha256_verify(bytes + n - MAC_LEN, bytes, n - MAC_LEN, key->bytes) != 0)
		return err_set(err, STATUS_RECEIPT_FORGED,
			       "the receipt's signature does not fit: it was changed, or signed "
			       "with another key");

	struct cursor payload = {bytes + HEAD_LEN, bytes + n - MAC_LEN};
	return read_payload(&payload, arena, receipt_out, err);
}

static enum status foreign(const char *what, struct err *err)
{
	return err_set(err, STATUS_RECEIPT_FOREIGN,
		       "the receipt is for another %s, want one of a "
		       "score for this %s",
		       what, what);
}

enum status receipt_check(const struct receipt *receipt, int64_t now_us, int64_t max_age_us,
			  const struct receipt_bearer *bearer, struct err *err)
{
	if (strcmp(receipt->model_id, bearer->model_id) != 0)
		return foreign("model", err);
	if (bearer->user != NULL && strcmp(receipt->user, bearer->user) != 0)
		return foreign("user", err);
	if (bearer->context != NULL && strcmp(receipt->context, bearer->context) != 0)
		return foreign("context", err);
	if (receipt->issued_us < now_us && now_us - receipt->issued_us > max_age_us)
		return err_set(err, STATUS_RECEIPT_EXPIRED,
			       "the receipt is %lld seconds old, want %lld at most (the limit of "
			       "--receipt-age)",
			       (long long)((now_us - receipt->issued_us) / 1000000),
			       (long long)(max_age_us / 1000000));
	return STATUS_OK;
}

void receipt_event_id(const struct receipt *receipt, char id_out[RECEIPT_ID_LEN + 1])
{
	memcpy(id_out, ID_PREFIX, sizeof(ID_PREFIX) - 1);
	sodium_bin2hex(id_out + sizeof(ID_PREFIX) - 1, 2 * RECEIPT_NONCE_LEN + 1, receipt->nonce,
		       RECEIPT_NONCE_LEN);
}

bool receipt_is_event_id(const char *id)
{
	return strncmp(id, ID_PREFIX, sizeof(ID_PREFIX) - 1) == 0;
}
