/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.h - who may ask for what, and how often.
 *
 *   any caller         /livez, /readyz, /health
 *   any known key      /metrics, /model, /openapi.yaml: nothing in them is of a user, so
 *                      whoever only watches gets a key with no scope
 *   scope score        POST /score
 *   scope feedback     POST /feedback
 *   scope admin        /users, and everything under it
 *
 * No scope contains another. A key takes effect, or loses it, with access_reload().
 */
#ifndef MICRO_SERVER_ACCESS_H
#define MICRO_SERVER_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "server/api_key.h"
#include "server/route.h"

/* The two challenges of a 401, each a WWW-Authenticate header. */
#define ACCESS_CHALLENGE_BEARER "Bearer realm=\"microd\""
#define ACCESS_CHALLENGE_BASIC	"Basic realm=\"microd\", charset=\"UTF-8\""

struct access; /* opaque; any thread may use it */

struct access_options {
	const char *path; /* of the key file, outlives the result; NULL: none */
	const char *key;  /* one key with every scope, named "environment"; NULL: none */
	double rate;	  /* requests a second for each key; 0: no limit */
	double burst;	  /* requests that may come at once */
};

/* Whose request it is. */
struct access_caller {
	char name[API_KEY_NAME_MAX + 1]; /* of the key; "" if none is known */
};

/** access_open(options, access_out, err): one of path and key is given. access_close()
 * releases. STATUS_BAD_FILE, STATUS_IO: the key file; STATUS_USAGE: the key. */
enum status access_open(const struct access_options *options, struct access **access_out,
			struct err *err);

/** access_reload(access, err): read the key file again. On error the old keys stay.
 * The keys' limits begin anew. */
enum status access_reload(struct access *access, struct err *err);

/**
 * access_check(access, match, authorization, now_ns, caller_out, err): may this request
 * pass? authorization: the header's value, NULL if there is none; now_ns: of a clock that
 * does not jump. STATUS_UNAUTHORIZED without a key that is known, STATUS_RATE_LIMITED past
 * the key's limit, STATUS_FORBIDDEN naming the scope that it lacks.
 */
enum status access_check(struct access *access, const struct route_match *match,
			 const char *authorization, int64_t now_ns,
			 struct access_caller *caller_out, struct err *err);

/** access_describe(access, text_out, size): how many keys, and each one's name and scopes;
 * cut to size. */
void access_describe(struct access *access, char *text_out, size_t size);

/** access_n_keys(access): 0 for NULL. */
size_t access_n_keys(struct access *access);

/** access_close(access): NULL does nothing. */
void access_close(struct access *access);

#endif
