/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/route.h"
#include "tests/unit/unit.h"

#define A16  "aaaaaaaaaaaaaaaa"
#define A256 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16

START_TEST(every_route_is_found_with_and_without_v1)
{
	static const struct {
		const char *method;
		const char *path;
		enum route route;
	} cases[] = {
	    {"POST", "/score", ROUTE_SCORE},
	    {"POST", "/feedback", ROUTE_FEEDBACK},
	    {"GET", "/users", ROUTE_USERS},
	    {"GET", "/users/u", ROUTE_USER},
	    {"GET", "/users/reset", ROUTE_USER},
	    {"POST", "/users/u/reset", ROUTE_USER_RESET},
	    {"GET", "/users/u/export", ROUTE_USER_EXPORT},
	    {"POST", "/users/u/import", ROUTE_USER_IMPORT},
	    {"DELETE", "/users/u", ROUTE_USER},
	    {"GET", "/model", ROUTE_MODEL},
	    {"GET", "/livez", ROUTE_LIVEZ},
	    {"GET", "/readyz", ROUTE_READYZ},
	    {"GET", "/health", ROUTE_HEALTH},
	    {"GET", "/metrics", ROUTE_METRICS},
	    {"HEAD", "/livez", ROUTE_LIVEZ},
	    {"GET", "/openapi.yaml", ROUTE_OPENAPI},
	    {"HEAD", "/users/u", ROUTE_USER},
	    {"POST", "/get_reward", ROUTE_GET_REWARD},
	    {"POST", "/classify", ROUTE_CLASSIFY},
	    {"POST", "/score/evaluation", ROUTE_SCORE_EVALUATION},
	    {"POST", "/rerank", ROUTE_RERANK},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct route_match match;
		struct err err = {0};
		char v1[64] = "/v1";

		ck_assert_msg(route_find(cases[i].method, cases[i].path, &match, &err) == STATUS_OK,
			      "case %zu: %s", i, err.msg);
		ck_assert_int_eq(match.route, cases[i].route);
		strcat(v1, cases[i].path);
		ck_assert_int_eq(route_find(cases[i].method, v1, &match, &err), STATUS_OK);
		ck_assert_int_eq(match.route, cases[i].route);
	}
}
END_TEST

START_TEST(second_version_is_the_reranker_s_alone)
{
	struct route_match match;

	ck_assert_int_eq(route_find("POST", "/v2/rerank", &match, NULL), STATUS_OK);
	ck_assert_int_eq(match.route, ROUTE_RERANK);
	ck_assert_int_eq(route_find("POST", "/v2/classify", &match, NULL), STATUS_NOT_FOUND);
}
END_TEST

START_TEST(unknown_path_lists_the_routes)
{
	static const char *const paths[] = {"/",
					    "",
					    "/scores",
					    "/score/",
					    "/v1",
					    "/v1/",
					    "/v2/score",
					    "/user",
					    "/users/",
					    "/users/a/b",
					    "/users//reset",
					    "/users/a/reset/",
					    "/v1/v1/score",
					    "//score",
					    "score",
					    "/SCORE"};

	for (size_t i = 0; i < LENGTH(paths); i++) {
		struct route_match match;
		struct err err = {0};

		ck_assert_msg(route_find("GET", paths[i], &match, &err) == STATUS_NOT_FOUND, "%s",
			      paths[i]);
		ck_assert_int_eq(match.route, ROUTE_NONE);
		ck_assert_ptr_nonnull(strstr(
		    err.msg,
		    "/score, /feedback, /users, /users/{id}, /users/{id}/reset, "
		    "/users/{id}/export, /users/{id}/import, /get_reward, /classify, "
		    "/score/evaluation, /rerank, /model, /livez, /readyz, /health, /metrics, "
		    "/openapi.yaml"));
	}
}
END_TEST

START_TEST(other_method_is_refused_with_what_is_taken)
{
	static const struct {
		const char *method;
		const char *path;
		const char *allow;
	} cases[] = {
	    {"GET", "/score", "POST"},
	    {"PUT", "/feedback", "POST"},
	    {"POST", "/users/u", "GET, HEAD, DELETE"},
	    {"GET", "/users/u/reset", "POST"},
	    {"DELETE", "/users", "GET, HEAD"},
	    {"DELETE", "/model", "GET, HEAD"},
	    {"OPTIONS", "/metrics", "GET, HEAD"},
	    {"get", "/livez", "GET, HEAD"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct route_match match;
		struct err err = {0};

		ck_assert_msg(route_find(cases[i].method, cases[i].path, &match, &err) ==
				  STATUS_METHOD_NOT_ALLOWED,
			      "case %zu", i);
		ck_assert_str_eq(route_allow(match.route), cases[i].allow);
		ck_assert_ptr_nonnull(strstr(err.msg, cases[i].allow));
	}
}
END_TEST

START_TEST(user_id_is_decoded_strictly)
{
	static const struct {
		const char *escaped;
		enum status want;
		const char *user;
	} cases[] = {
	    {"ada", STATUS_OK, "ada"},
	    {"a%2Fb", STATUS_OK, "a/b"},
	    {"a%2fb", STATUS_OK, "a/b"},
	    {"a+b", STATUS_OK, "a+b"},
	    {"100%25", STATUS_OK, "100%"},
	    {"%252F", STATUS_OK, "%2F"},
	    {"%C3%BC", STATUS_OK, "ü"},
	    {"\xc3\xbc", STATUS_OK, "ü"},
	    {A256, STATUS_OK, A256},
	    {A256 "a", STATUS_INVALID_VALUE, NULL},
	    {"a%00b", STATUS_INVALID_VALUE, NULL},
	    {"%00", STATUS_INVALID_VALUE, NULL},
	    {"a%0Ab", STATUS_INVALID_VALUE, NULL},
	    {"a%7F", STATUS_INVALID_VALUE, NULL},
	    {"a%C2%85", STATUS_INVALID_VALUE, NULL},
	    {"%", STATUS_MALFORMED, NULL},
	    {"%4", STATUS_MALFORMED, NULL},
	    {"a%2", STATUS_MALFORMED, NULL},
	    {"%zz", STATUS_MALFORMED, NULL},
	    {"%4g", STATUS_MALFORMED, NULL},
	    {"% 41", STATUS_MALFORMED, NULL},
	    {"%C3%28", STATUS_MALFORMED, NULL},
	    {"%FF", STATUS_MALFORMED, NULL},
	    {"%ED%A0%80", STATUS_MALFORMED, NULL},
	    {"%C0%80", STATUS_MALFORMED, NULL},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct route_match match;
		struct err err = {0};
		char path[1024] = "/users/";
		enum status got;

		strcat(path, cases[i].escaped);
		got = route_find("DELETE", path, &match, &err);
		ck_assert_msg(got == cases[i].want, "case %zu: %s, %s", i, status_code(got),
			      err.msg);
		if (cases[i].user != NULL)
			ck_assert_str_eq(match.user, cases[i].user);
		else
			ck_assert_ptr_nonnull(strstr(err.msg, "the user id in the path"));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("route");
	TCase *tcase = tcase_create("route_find");

	tcase_add_test(tcase, every_route_is_found_with_and_without_v1);
	tcase_add_test(tcase, second_version_is_the_reranker_s_alone);
	tcase_add_test(tcase, unknown_path_lists_the_routes);
	tcase_add_test(tcase, other_method_is_refused_with_what_is_taken);
	tcase_add_test(tcase, user_id_is_decoded_strictly);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
