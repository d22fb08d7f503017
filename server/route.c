/* SPDX-License-Identifier: Apache-2.0 */
#include "server/route.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "server/identifier.h"
#include "server/percent.h"

#define ALIAS_PREFIX "/v1"
#define USER_PREFIX  "/users/"
#define USER_PATTERN USER_PREFIX "{id}"
#define KNOWN_MAX    512		      /* holds all patterns, with commas */
#define ESCAPED_MAX  (3 * (STORE_MAX_ID + 1)) /* what is longer is no user, however it is read */

static const struct {
	const char *pattern;
	const char *allow;
	bool takes[N_METHODS];
} routes[] = {
    [ROUTE_SCORE] = {"/score", "POST", {[METHOD_POST] = true}},
    [ROUTE_FEEDBACK] = {"/feedback", "POST", {[METHOD_POST] = true}},
    [ROUTE_USERS] = {"/users", "GET, HEAD", {[METHOD_GET] = true}},
    [ROUTE_USER] = {USER_PATTERN,
		    "GET, HEAD, DELETE",
		    {[METHOD_GET] = true, [METHOD_DELETE] = true}},
    [ROUTE_USER_EXPORT] = {USER_PATTERN "/export", "GET, HEAD", {[METHOD_GET] = true}},
    [ROUTE_USER_IMPORT] = {USER_PATTERN "/import", "POST", {[METHOD_POST] = true}},
    [ROUTE_USER_RESET] = {USER_PATTERN "/reset", "POST", {[METHOD_POST] = true}},
    [ROUTE_GET_REWARD] = {"/get_reward", "POST", {[METHOD_POST] = true}},
    [ROUTE_CLASSIFY] = {"/classify", "POST", {[METHOD_POST] = true}},
    [ROUTE_SCORE_EVALUATION] = {"/score/evaluation", "POST", {[METHOD_POST] = true}},
    [ROUTE_RERANK] = {"/rerank", "POST", {[METHOD_POST] = true}},
    [ROUTE_MODEL] = {"/model", "GET, HEAD", {[METHOD_GET] = true}},
    [ROUTE_LIVEZ] = {"/livez", "GET, HEAD", {[METHOD_GET] = true}},
    [ROUTE_READYZ] = {"/readyz", "GET, HEAD", {[METHOD_GET] = true}},
    [ROUTE_HEALTH] = {"/health", "GET, HEAD", {[METHOD_GET] = true}},
    [ROUTE_METRICS] = {"/metrics", "GET, HEAD", {[METHOD_GET] = true}},
    [ROUTE_OPENAPI] = {"/openapi.yaml", "GET, HEAD", {[METHOD_GET] = true}},
    [ROUTE_NONE] = {"none", "", {0}},
};

static const char *const method_names[] = {"GET", "POST", "DELETE", "other"};

const char *route_pattern(enum route route)
{
	assert((unsigned)route < N_ROUTES);
	return routes[route].pattern;
}

const char *route_allow(enum route route)
{
	assert((unsigned)route < N_ROUTES);
	return routes[route].allow;
}

const char *method_name(enum method method)
{
	assert((unsigned)method < N_METHODS);
	return method_names[method];
}

static enum method find_method(const char *name)
{
	for (enum method m = METHOD_GET; m < METHOD_OTHER; m++) {
		if (strcmp(name, method_names[m]) == 0)
			return m;
	}
	return strcmp(name, "HEAD") == 0 ? METHOD_GET : METHOD_OTHER;
}

/* What a pattern has behind the user; NULL: it has none. */
static const char *user_suffix(enum route route)
{
	const char *pattern = routes[route].pattern;

	if (strncmp(pattern, USER_PATTERN, strlen(USER_PATTERN)) != 0)
		return NULL;
	return pattern + strlen(USER_PATTERN);
}

static enum route find_user_route(const char *id)
{
	size_t len = strcspn(id, "/");

	for (enum route r = 0; r < ROUTE_NONE && len > 0; r++) {
		const char *suffix = user_suffix(r);

		if (suffix != NULL && strcmp(id + len, suffix) == 0)
			return r;
	}
	return ROUTE_NONE;
}

static enum route find_route(const char *path)
{
	if (strncmp(path, USER_PREFIX, strlen(USER_PREFIX)) == 0)
		return find_user_route(path + strlen(USER_PREFIX));
	for (enum route r = 0; r < ROUTE_NONE; r++) {
		if (user_suffix(r) == NULL && strcmp(path, routes[r].pattern) == 0)
			return r;
	}
	return ROUTE_NONE;
}

static enum status no_route(struct err *err)
{
	char known[KNOWN_MAX] = "";

	for (enum route r = 0; r < ROUTE_NONE; r++) {
		strcat(known, r == 0 ? "" : ", ");
		strcat(known, routes[r].pattern);
	}
	return err_set(err, STATUS_NOT_FOUND,
		       "there is no such route; known are: %s (also under /v1)", known);
}

/* path: from the user on. */
static enum status decode_user(const char *path, char user_out[STORE_MAX_ID + 1], struct err *err)
{
	char escaped[ESCAPED_MAX + 1];
	size_t len = strcspn(path, "/");
	enum status status;

	if (len > ESCAPED_MAX)
		len = ESCAPED_MAX;
	memcpy(escaped, path, len);
	escaped[len] = '\0';
	status = percent_decode(escaped, false, STORE_MAX_ID, user_out, &len, err);
	if (status == STATUS_OK)
		status = identifier_check(user_out, len, 1, "", err);
	if (status != STATUS_OK)
		err_wrap(err, "the user id in the path");
	return status;
}

/* Cohere's second version of its reranker has the same shape. */
static const char *without_version(const char *path)
{
	static const char second[] = "/v2/rerank";
	size_t n_alias = strlen(ALIAS_PREFIX);

	if (strcmp(path, second) == 0)
		return path + n_alias;
	return strncmp(path, ALIAS_PREFIX "/", n_alias + 1) == 0 ? path + n_alias : path;
}

enum status route_find(const char *method, const char *path, struct route_match *match_out,
		       struct err *err)
{
	path = without_version(path);
	*match_out = (struct route_match){.route = find_route(path), .method = find_method(method)};
	if (match_out->route == ROUTE_NONE)
		return no_route(err);
	if (!routes[match_out->route].takes[match_out->method])
		return err_set(err, STATUS_METHOD_NOT_ALLOWED, "%s takes %s",
			       routes[match_out->route].pattern, routes[match_out->route].allow);
	if (user_suffix(match_out->route) == NULL)
		return STATUS_OK;
	return decode_user(path + strlen(USER_PREFIX), match_out->user, err);
}
