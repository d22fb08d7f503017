/* SPDX-License-Identifier: Apache-2.0 */
#include "server/credential.h"

#include <string.h>
#include <strings.h>

#include <sodium.h>

/* What comes after the scheme and its spaces; NULL: another scheme, or nothing. */
static const char *after_scheme(const char *authorization, const char *scheme)
{
	size_t len = strlen(scheme);

	if (strncasecmp(authorization, scheme, len) != 0 || authorization[len] != ' ')
		return NULL;
	authorization += len;
	authorization += strspn(authorization, " ");
	return *authorization == '\0' ? NULL : authorization;
}

static bool read_bearer(const char *token, struct credential *out)
{
	out->len = strlen(token);
	memcpy(out->key, token, out->len);
	return true;
}

/* user ":" password; a password may have colons, a user name has none */
static bool read_basic(const char *encoded, struct credential *out)
{
	const char *colon = NULL;
	size_t n = 0;

	if (sodium_base642bin((unsigned char *)out->key, sizeof(out->key), encoded, strlen(encoded),
			      NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) == 0)
		colon = memchr(out->key, ':', n);
	if (colon == NULL)
		return false;
	out->len = n - (size_t)(colon + 1 - out->key);
	memmove(out->key, colon + 1, out->len);
	return true;
}

bool credential_read(const char *authorization, struct credential *credential_out)
{
	const char *bearer, *basic;

	credential_out->len = 0;
	if (strnlen(authorization, CREDENTIAL_MAX) == CREDENTIAL_MAX)
		return false;
	bearer = after_scheme(authorization, "Bearer");
	basic = after_scheme(authorization, "Basic");
	if (bearer != NULL)
		return read_bearer(bearer, credential_out);
	return basic != NULL && read_basic(basic, credential_out);
}

void credential_forget(struct credential *credential)
{
	sodium_memzero(credential, sizeof(*credential));
}
