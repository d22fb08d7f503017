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
#define KNOWN_MAX    512 /* holds all patterns, with commas */

static const struct {
	const char *pattern;
	const char *allow;
	bool takes[N_METHODS];
} routes[] = {
    [ROUTE_SCORE] = {"/score", "POST", {[METHOD_POST] = true}},
    [ROUTE_FEEDBACK] = {"/feedback", "POST", {[METHOD_POST] = true}},
    [ROUTE_USER] = {USER_PREFIX "{id}",
		    "GET, HEAD, DELETE",
		    {[METHOD_GET] = true, [METHOD_DELETE] = true}},
    [ROUTE_GET_REWARD] = {"/get_reward", "POST", {[METHOD_POST] = true}},
    [ROUTE_CLASSIFY] = {"/classify", "POST", {[METHOD_POST] = true}},
    [ROUTE_SCORE_EVALUATION] = {"/score/evaluation", "POST", {[METHOD_POST] = true}},
    [ROUTE_RERANK] = {"/rerank", "POST", {[METHOD_POST] = true}},
    [ROUTE_MODEL] = {"/model", "GET, HEAD", {[METHOD_GET] = true}},
    [ROUTE_LIVEZ] = {"/livez", "GET, HEAD", {[METHOD_GET] = true}},
    [ROUTE_READYZ] = {"/readyz", "GET, HEAD", {[METHOD_GET] = true}},
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

static enum route find_route(const char *path)
{
	const char *id = path + strlen(USER_PREFIX);

	if (strncmp(path, USER_PREFIX, strlen(USER_PREFIX)) == 0)
		return *id == '\0' || strchr(id, '/') != NULL ? ROUTE_NONE : ROUTE_USER;
	for (enum route r = 0; r < ROUTE_NONE; r++) {
		if (r != ROUTE_USER && strcmp(path, routes[r].pattern) == 0)
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

static enum status decode_user(const char *escaped, char user_out[STORE_MAX_ID + 1],
			       struct err *err)
{
	size_t len;
	enum status status = percent_decode(escaped, false, STORE_MAX_ID, user_out, &len, err);

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
	if (match_out->route != ROUTE_USER)
		return STATUS_OK;
	return decode_user(path + strlen(USER_PREFIX), match_out->user, err);
}
