/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/access.h"
#include "tests/unit/server/key_fixture.h"
#include "tests/unit/unit.h"

#define OWN "0123456789abcdef0123456789abcdef"
#define S   1000000000LL

static char path[32];
static struct access *access_of_all;
static struct access_caller caller;
static struct err err;

static void write_keys(void)
{
	static const struct {
		const char *name;
		unsigned scopes;
		const char *key;
	} keys[] = {{"none", 0, "key none"},
		    {"score", SCOPE_SCORE, "key score"},
		    {"feedback", SCOPE_FEEDBACK, "key feedback"},
		    {"admin", SCOPE_ADMIN, "key admin"}};
	char text[LENGTH(keys) * API_KEY_LINE_MAX] = "";

	for (size_t i = 0; i < LENGTH(keys); i++)
		key_fixture_line(keys[i].name, keys[i].scopes, keys[i].key, text + strlen(text));
	key_fixture_write(path, text);
}

static void set_up(void)
{
	const struct access_options options = {.path = path, .key = OWN, .rate = 1, .burst = 2};

	strcpy(path, "/tmp/micro-access-XXXXXX");
	close(mkstemp(path));
	write_keys();
	ck_assert_msg(access_open(&options, &access_of_all, &err) == STATUS_OK, "%s", err.msg);
}

static void tear_down(void)
{
	access_close(access_of_all);
	unlink(path);
}

static enum status ask(enum route route, const char *authorization, int64_t now_ns)
{
	const struct route_match match = {.route = route};

	return access_check(access_of_all, &match, authorization, now_ns, &caller, &err);
}

START_TEST(each_route_wants_its_scope)
{
	static const char *const names[] = {"none", "score", "feedback", "admin"};
	static const unsigned scopes[] = {0, SCOPE_SCORE, SCOPE_FEEDBACK, SCOPE_ADMIN};
	static const unsigned wanted[N_ROUTES] = {
	    [ROUTE_SCORE] = SCOPE_SCORE,      [ROUTE_GET_REWARD] = SCOPE_SCORE,
	    [ROUTE_CLASSIFY] = SCOPE_SCORE,   [ROUTE_SCORE_EVALUATION] = SCOPE_SCORE,
	    [ROUTE_RERANK] = SCOPE_SCORE,     [ROUTE_FEEDBACK] = SCOPE_FEEDBACK,
	    [ROUTE_USERS] = SCOPE_ADMIN,      [ROUTE_USER] = SCOPE_ADMIN,
	    [ROUTE_USER_RESET] = SCOPE_ADMIN, [ROUTE_USER_EXPORT] = SCOPE_ADMIN,
	    [ROUTE_USER_IMPORT] = SCOPE_ADMIN};
	int64_t now = S;

	for (enum route r = 0; r < N_ROUTES; r++) {
		for (size_t i = 0; i < LENGTH(names); i++) {
			enum status want =
			    (scopes[i] & wanted[r]) == wanted[r] ? STATUS_OK : STATUS_FORBIDDEN;
			char header[64];

			snprintf(header, sizeof(header), "Bearer key %s", names[i]);
			ck_assert_msg(ask(r, header, now += 2 * S) == want, "%s with %s",
				      route_pattern(r), names[i]);
			if (r != ROUTE_LIVEZ && r != ROUTE_READYZ && r != ROUTE_HEALTH)
				ck_assert_str_eq(caller.name, names[i]);
		}
		ck_assert_int_eq(ask(r, "Bearer " OWN, now), STATUS_OK);
	}
}
END_TEST

START_TEST(without_a_known_key_only_probes_pass)
{
	static const char *const headers[] = {NULL, "", "Bearer key nobody", "Basic eDp5",
					      "key admin"};

	for (enum route r = 0; r < N_ROUTES; r++) {
		bool is_probe = r == ROUTE_LIVEZ || r == ROUTE_READYZ || r == ROUTE_HEALTH;

		for (size_t i = 0; i < LENGTH(headers); i++) {
			ck_assert_int_eq(ask(r, headers[i], S),
					 is_probe ? STATUS_OK : STATUS_UNAUTHORIZED);
			ck_assert_str_eq(caller.name, "");
		}
	}
}
END_TEST

START_TEST(forbidden_names_the_scope)
{
	ck_assert_int_eq(ask(ROUTE_USER, "Bearer key score", S), STATUS_FORBIDDEN);
	ck_assert_str_eq(err.msg, "/users/{id} needs the scope admin, key score has score");
}
END_TEST

START_TEST(each_key_has_its_own_limit)
{
	ck_assert_int_eq(ask(ROUTE_MODEL, "Bearer key score", 100 * S), STATUS_OK);
	/* also by what it may not ask for */
	ck_assert_int_eq(ask(ROUTE_USER, "Bearer key score", 100 * S), STATUS_FORBIDDEN);
	ck_assert_int_eq(ask(ROUTE_MODEL, "Bearer key score", 100 * S), STATUS_RATE_LIMITED);
	ck_assert_uint_eq(err.retry_after, 1);
	ck_assert_str_eq(caller.name, "score");
	ck_assert_int_eq(ask(ROUTE_MODEL, "Bearer key admin", 100 * S), STATUS_OK);
	ck_assert_int_eq(ask(ROUTE_MODEL, "Bearer key score", 101 * S), STATUS_OK);
}
END_TEST

START_TEST(reload_swaps_the_keys_or_changes_nothing)
{
	char line[API_KEY_LINE_MAX];

	key_fixture_write(path, "nonsense");
	ck_assert_int_eq(access_reload(access_of_all, &err), STATUS_BAD_FILE);
	ck_assert_ptr_nonnull(strstr(err.msg, path));
	ck_assert_int_eq(ask(ROUTE_MODEL, "Bearer key score", S), STATUS_OK);
	key_fixture_line("new", 0, "key new", line);
	key_fixture_write(path, line);
	ck_assert_int_eq(access_reload(access_of_all, &err), STATUS_OK);
	ck_assert_int_eq(ask(ROUTE_MODEL, "Bearer key score", S), STATUS_UNAUTHORIZED);
	ck_assert_int_eq(ask(ROUTE_MODEL, "Bearer key new", S), STATUS_OK);
	ck_assert_int_eq(ask(ROUTE_MODEL, "Bearer " OWN, S), STATUS_OK);
	ck_assert_uint_eq(access_n_keys(access_of_all), 2);
}
END_TEST

START_TEST(description_lists_the_keys_and_is_cut_to_size)
{
	char text[512], part[20];

	access_describe(access_of_all, text, sizeof(text));
	ck_assert_str_eq(text, "5 keys: none (none), score (score), feedback (feedback), "
			       "admin (admin), environment (score,feedback,admin)");
	access_describe(access_of_all, part, sizeof(part));
	ck_assert_str_eq(part, "5 keys: none (none)");
	ck_assert_uint_eq(access_n_keys(NULL), 0);
}
END_TEST

START_TEST(name_of_the_own_key_is_not_for_others)
{
	struct access_options options = {.path = path, .key = OWN};
	struct access *none;
	char line[API_KEY_LINE_MAX];

	key_fixture_line("environment", 0, "key", line);
	key_fixture_write(path, line);
	ck_assert_int_eq(access_open(&options, &none, &err), STATUS_BAD_FILE);
	ck_assert_ptr_null(none);
	options.key = "short";
	ck_assert_int_eq(access_open(&options, &none, &err), STATUS_USAGE);
	ck_assert_ptr_null(strstr(err.msg, "short"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access");
	TCase *tcase = tcase_create("access");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, each_route_wants_its_scope);
	tcase_add_test(tcase, without_a_known_key_only_probes_pass);
	tcase_add_test(tcase, forbidden_names_the_scope);
	tcase_add_test(tcase, each_key_has_its_own_limit);
	tcase_add_test(tcase, reload_swaps_the_keys_or_changes_nothing);
	tcase_add_test(tcase, description_lists_the_keys_and_is_cut_to_size);
	tcase_add_test(tcase, name_of_the_own_key_is_not_for_others);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
