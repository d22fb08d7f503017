/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api_key.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HASH_PREFIX  "sha256:"
#define RANDOM_BYTES 32
#define NAME_RULE    "1 to 64 letters, digits and . _ -"

_Static_assert(sodium_base64_ENCODED_LEN(RANDOM_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING) +
		       sizeof(API_KEY_PREFIX) - 1 ==
		   API_KEY_LEN + 1,
	       "the length of a key");

/* Every set of scopes by its bits, as it is written. */
static const char *const texts[SCOPE_ALL + 1] = {
    [0] = "none",
    [SCOPE_SCORE] = "score",
    [SCOPE_FEEDBACK] = "feedback",
    [SCOPE_SCORE | SCOPE_FEEDBACK] = "score,feedback",
    [SCOPE_ADMIN] = "admin",
    [SCOPE_SCORE | SCOPE_ADMIN] = "score,admin",
    [SCOPE_FEEDBACK | SCOPE_ADMIN] = "feedback,admin",
    [SCOPE_ALL] = "score,feedback,admin",
};

void api_key_random(random_bytes_fn *random_bytes, char key_out[API_KEY_LEN + 1])
{
	const size_t n_prefix = sizeof(API_KEY_PREFIX) - 1;
	unsigned char secret[RANDOM_BYTES];

	random_bytes(secret, sizeof(secret));
	memcpy(key_out, API_KEY_PREFIX, n_prefix);
	/* base64url: a key goes into a URL as it is */
	sodium_bin2base64(key_out + n_prefix, API_KEY_LEN + 1 - n_prefix, secret, sizeof(secret),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(secret, sizeof(secret));
}

void api_key_hash(const char *key, size_t len, unsigned char hash_out[crypto_hash_sha256_BYTES])
{
	crypto_hash_sha256(hash_out, (const unsigned char *)key, len);
}

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

enum status api_key_set_name(struct api_key *key, const char *name, size_t len, struct err *err)
{
	bool right = len >= 1 && len <= API_KEY_NAME_MAX;

	for (size_t i = 0; i < len && right; i++)
		right = is_name_character(name[i]);
	if (!right)
		return err_set(err, STATUS_INVALID_VALUE, "want a name of " NAME_RULE);
	memcpy(key->name, name, len);
	key->name[len] = '\0';
	return STATUS_OK;
}

static unsigned find_scope(const char *text, size_t len)
{
	for (unsigned scope = SCOPE_SCORE; scope <= SCOPE_ADMIN; scope *= 2) {
		if (strlen(texts[scope]) == len && memcmp(texts[scope], text, len) == 0)
			return scope;
	}
	return 0;
}

enum status scopes_parse(const char *text, size_t len, unsigned *scopes_out, struct err *err)
{
	const char *end = text + len;
	unsigned scopes = 0;

	*scopes_out = 0;
	if (len == strlen(texts[0]) && memcmp(text, texts[0], len) == 0)
		return STATUS_OK;
	for (;;) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		unsigned scope = find_scope(text, (size_t)((comma == NULL ? end : comma) - text));

		if (scope == 0 || (scopes & scope) != 0)
			return err_set(err, STATUS_INVALID_VALUE,
				       "want scopes, each once, of: %s; or none", texts[SCOPE_ALL]);
		scopes |= scope;
		if (comma == NULL)
			break;
		text = comma + 1;
	}
	*scopes_out = scopes;
	return STATUS_OK;
}

const char *scopes_text(unsigned scopes)
{
	assert(scopes <= SCOPE_ALL);
	return texts[scopes];
}

static enum status parse_hash(const char *text, size_t len, struct api_key *key, struct err *err)
{
	const size_t n_prefix = sizeof(HASH_PREFIX) - 1;
	const size_t n_digits = 2 * sizeof(key->hash);
	size_t n_bytes;

	if (len == n_prefix + n_digits && memcmp(text, HASH_PREFIX, n_prefix) == 0 &&
	    sodium_hex2bin(key->hash, sizeof(key->hash), text + n_prefix, n_digits, NULL, &n_bytes,
			   NULL) == 0 &&
	    n_bytes == sizeof(key->hash))
		return STATUS_OK;
	return err_set(err, STATUS_INVALID_VALUE,
		       "want a hash of " HASH_PREFIX " and %zu hexadecimal digits", n_digits);
}

/* The next word of a line, advancing *at; of no length at the end. */
static const char *next_word(const char **at, const char *end, size_t *len_out)
{
	const char *begin = *at;

	while (begin < end && (*begin == ' ' || *begin == '\t'))
		begin++;
	*at = begin;
	while (*at < end && **at != ' ' && **at != '\t')
		++*at;
	*len_out = (size_t)(*at - begin);
	return begin;
}

enum status api_key_parse(const char *line, size_t len, struct api_key *key_out, struct err *err)
{
	enum { NAME, SCOPES, HASH, MORE, N_WORDS };
	const char *end = line + len, *word[N_WORDS];
	size_t n[N_WORDS];
	enum status status;

	for (size_t i = 0; i < N_WORDS; i++)
		word[i] = next_word(&line, end, &n[i]);
	if (n[HASH] == 0 || n[MORE] != 0)
		return err_set(err, STATUS_INVALID_VALUE,
			       "want three words: name, scopes, hash, as microd key new prints "
			       "them");
	*key_out = (struct api_key){0};
	status = api_key_set_name(key_out, word[NAME], n[NAME], err);
	if (status == STATUS_OK)
		status = scopes_parse(word[SCOPES], n[SCOPES], &key_out->scopes, err);
	if (status == STATUS_OK)
		status = parse_hash(word[HASH], n[HASH], key_out, err);
	return status;
}

void api_key_line(const struct api_key *key, char line_out[API_KEY_LINE_MAX])
{
	char digits[2 * sizeof(key->hash) + 1];

	sodium_bin2hex(digits, sizeof(digits), key->hash, sizeof(key->hash));
	snprintf(line_out, API_KEY_LINE_MAX, "%s %s " HASH_PREFIX "%s", key->name,
		 scopes_text(key->scopes), digits);
}
