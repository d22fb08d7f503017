/* SPDX-License-Identifier: Apache-2.0 */
/* route.h - method and path of a request: which route it is, and for which user. */
#ifndef MICRO_SERVER_ROUTE_H
#define MICRO_SERVER_ROUTE_H

#include "core/base/err.h"
#include "server/store.h"

enum route {
	ROUTE_SCORE,
	ROUTE_FEEDBACK,
	ROUTE_USERS,
	ROUTE_USER,
	ROUTE_USER_RESET,
	ROUTE_USER_EXPORT,
	ROUTE_USER_IMPORT,
	ROUTE_GET_REWARD,
	ROUTE_CLASSIFY,
	ROUTE_SCORE_EVALUATION,
	ROUTE_RERANK,
	ROUTE_MODEL,
	ROUTE_LIVEZ,
	ROUTE_READYZ,
	ROUTE_HEALTH,
	ROUTE_METRICS,
	ROUTE_OPENAPI,
	ROUTE_NONE, /* no such path */
	N_ROUTES
};

enum method { METHOD_GET, METHOD_POST, METHOD_DELETE, METHOD_OTHER, N_METHODS };

struct route_match {
	enum route route;
	enum method method;	     /* HEAD counts as GET: the same answer without its body */
	char user[STORE_MAX_ID + 1]; /* of /users/{id}...: decoded and checked */
};

/** route_pattern(route): "/users/{id}"; "none" for ROUTE_NONE. Static. */
const char *route_pattern(enum route route);

/** route_allow(route): its methods as an Allow header; static. */
const char *route_allow(enum route route);

/** method_name(method): "GET", ..., "other"; static. */
const char *method_name(enum method method);

/**
 * route_find(method, path, match_out, err): path as it came, still escaped,
 * without its query; with or without /v1, which is /v2 for rerankers. Errors, match_out->route
 * being set as far as it is known: STATUS_NOT_FOUND listing the routes, STATUS_METHOD_NOT_ALLOWED,
 * STATUS_MALFORMED for a user id with a bad escape or bad UTF-8, STATUS_INVALID_VALUE
 * for one that is too long or has a control character, such as %00.
 */
enum status route_find(const char *method, const char *path, struct route_match *match_out,
		       struct err *err);

#endif
