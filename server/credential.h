/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential.h - the key in an Authorization header: "Bearer KEY" (RFC 6750), or "Basic"
 * with any user name and the key as password (RFC 7617), for clients that can only put
 * credentials into a URL.
 */
#ifndef MICRO_SERVER_CREDENTIAL_H
#define MICRO_SERVER_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "server/api_key.h"

#define CREDENTIAL_MAX 1024 /* bytes of a header's value */

/* What a client shows; cleared by credential_forget(). */
struct credential {
	size_t len;
	char key[CREDENTIAL_MAX];
};

/** credential_read(authorization, credential_out): false if there is no key in it.
 * authorization: the header's value. */
bool credential_read(const char *authorization, struct credential *credential_out);

/** credential_forget(credential): leave nothing of the key in memory. */
void credential_forget(struct credential *credential);

#endif
