/* SPDX-License-Identifier: Apache-2.0 */
/* test_api.c - the routes from bytes to bytes, on a model file and a fake store */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/api.h"
#include "server/log.h"
#include "tests/unit/server/key_fixture.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

/* An import of nothing. */
#define LINES                                                                                      \
	"{\"type\":\"user\",\"format\":\"micro-user/1\",\"user\":\"ada\","                         \
	"\"exported_at\":\"2026-01-01T00:00:00.000000Z\"}\n"                                       \
	"{\"type\":\"end\",\"states\":0,\"events\":0}"
#define V "{\"embedding\":[1,0,0,0]}"

static struct api api;
static struct fake_store fake;
static struct exchange exchange;
static char path[64];
static int log_ends[2];

static void set_up(void)
{
	struct err err = {0};

	ck_assert_int_eq(pipe2(log_ends, O_NONBLOCK), 0);
	log_open(LOG_DEBUG, log_ends[1]);
	served_save("none:4", ROUTER_STATIC, path);
	fake_store_init(&fake);
	memset(&api, 0, sizeof(api));
	api.service = served_service(&fake);
	api.max_items = api.max_responses = 4;
	api.max_strength = 10;
	ck_assert_msg(live_model_open(path, &api.live, &err) == STATUS_OK, "%s", err.msg);
	ck_assert_int_eq(writer_start(&fake.store, 4, 4, &api.writer, &err), STATUS_OK);
	memset(&exchange, 0, sizeof(exchange));
}

static void tear_down(void)
{
	writer_stop(api.writer);
	live_model_close(api.live);
	unlink(path);
	close(log_ends[0]);
	close(log_ends[1]);
}

/* A whole request; the caller closes the exchange. */
static void request_with(const struct exchange_head *head, const char *body)
{
	memset(&exchange, 0, sizeof(exchange));
	api_open(&api, &exchange, head);
	if (exchange.http_status != 0)
		return;
	buffer_add_string(&exchange.body, body);
	if (api_begin(&api, &exchange) == API_WRITE) {
		fake_store_apply(&fake, &exchange.op);
		api_end(&api, &exchange);
	}
}

static void request(const char *method, const char *route, const char *body)
{
	request_with(&(struct exchange_head){.method = method, .path = route}, body);
}

static bool answer_has(const char *part)
{
	return memmem(exchange.text, exchange.text_len, part, strlen(part)) != NULL;
}

static void assert_answer(int http_status, const char *part)
{
	ck_assert_msg(exchange.http_status == http_status, "%d: %.*s", exchange.http_status,
		      (int)exchange.text_len, exchange.text);
	ck_assert_msg(answer_has(part), "no %s in %.*s", part, (int)exchange.text_len,
		      exchange.text);
	api_close(&api, &exchange);
}

START_TEST(every_route_answers)
{
	static const struct {
		const char *method, *route, *body, *type, *part;
	} cases[] = {
	    {"POST", "/score", "{\"responses\":[" V "]}", "application/json", "\"rewards\":["},
	    {"POST", "/v1/feedback", "{\"user\":\"ada\",\"chosen\":" V ",\"rejected\":" V "}",
	     "application/json", "\"duplicate\":false"},
	    {"GET", "/users/ada", "", "application/json", "\"states\":[{"},
	    {"DELETE", "/users/ada", "", "application/json", "\"deleted\":{\"states\":1"},
	    {"POST", "/users/ada/import", LINES, "application/json", "\"imported\":{\"events\":0}"},
	    {"GET", "/users", "", "application/json", "{\"users\":[{\"user\":\"ada\""},
	    {"POST", "/users/ada/reset", "{}", "application/json", "\"context\":null,\"deleted\""},
	    {"POST", "/users/ada/reset", "{\"context\":\"work\"}", "application/json",
	     "\"context\":\"work\",\"deleted\""},
	    {"GET", "/model", "", "application/json", "\"format\":\"micro/1\""},
	    {"GET", "/livez", "", "application/json", "{\"status\":\"ok\"}"},
	    {"GET", "/readyz", "", "application/json", "{\"status\":\"ready\"}"},
	    {"HEAD", "/readyz", "", "application/json", "ready"},
	    {"GET", "/health", "", "application/json", "{\"status\":\"ready\"}"},
	    {"GET", "/metrics", "", "text/plain; version=0.0.4; charset=utf-8",
	     "micro_build_info{"},
	    {"GET", "/openapi.yaml", "", "application/yaml", "openapi: 3.1.0"},
	};

	fake.known_user = "ada";
	for (size_t i = 0; i < LENGTH(cases); i++) {
		request(cases[i].method, cases[i].route, cases[i].body);
		ck_assert_msg(strcmp(exchange.content_type, cases[i].type) == 0, "case %zu: %s", i,
			      exchange.content_type);
		assert_answer(200, cases[i].part);
	}
	ck_assert_int_eq(atomic_load(&api.metrics.in_flight), 0);
}
END_TEST

START_TEST(export_is_made_as_it_is_read)
{
	static const char type[] = "application/x-ndjson";
	static const char end[] = "\n{\"type\":\"end\",\"states\":1,\"events\":1}\n";
	char text[2048];
	ssize_t n, len = 0;

	fake.known_user = "ada";
	request("GET", "/users/ada/export", "");
	ck_assert_int_eq(exchange.http_status, 200);
	ck_assert_str_eq(exchange.content_type, type);
	ck_assert_ptr_null(exchange.text);
	while ((n = api_read_stream(&api, &exchange, text + len, 7)) > 0)
		len += n;
	ck_assert_int_eq(n, 0);
	text[len] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "{\"type\":\"user\","));
	ck_assert_ptr_nonnull(strstr(text, "\"log_weights\":[-0.5,0,1e-300]}\n"));
	ck_assert_str_eq(text + len - strlen(end), end);
	api_close(&api, &exchange);
	request("GET", "/users/bob/export", "");
	assert_answer(404, "\"code\":\"not_found\"");
	request("POST", "/users/bob/import", LINES);
	assert_answer(422, "\"param\":\"/1/user\"");
	request_with(&(struct exchange_head){.method = "POST",
					     .path = "/users/ada/import",
					     .content_type = "application/json"},
		     LINES);
	assert_answer(415, type);
}
END_TEST

START_TEST(with_keys_a_route_is_for_those_who_may)
{
	static const struct {
		const char *method, *route, *authorization;
		int http_status;
		const char *part;
	} cases[] = {
	    {"GET", "/model", NULL, 401, "\"code\":\"unauthorized\""},
	    {"GET", "/nowhere", NULL, 401, "unauthorized"},
	    {"PUT", "/score", "Bearer nobody", 401, "unauthorized"},
	    {"GET", "/livez", NULL, 200, "ok"},
	    {"PUT", "/livez", NULL, 405, "method_not_allowed"},
	    {"GET", "/model", "Bearer the key", 200, "micro/1"},
	    {"GET", "/nowhere", "Bearer the key", 404, "not_found"},
	    {"GET", "/users/ada", "Bearer the key", 403, "\"code\":\"forbidden\""},
	    {"DELETE", "/users/%ff", "Bearer the key", 403, "needs the scope admin"},
	    {"GET", "/users", "Bearer the key", 403, "needs the scope admin"},
	    {"POST", "/users/ada/reset", "Bearer the key", 403, "needs the scope admin"},
	};
	char keys[] = "/tmp/micro-api-keys-XXXXXX", line[API_KEY_LINE_MAX];
	const struct access_options options = {.path = keys};

	close(mkstemp(keys));
	key_fixture_line("me", SCOPE_SCORE, "the key", line);
	key_fixture_write(keys, line);
	ck_assert_int_eq(access_open(&options, &api.access, NULL), STATUS_OK);
	for (size_t i = 0; i < LENGTH(cases); i++) {
		const struct exchange_head head = {
		    .method = cases[i].method,
		    .path = cases[i].route,
		    .authorization = cases[i].authorization,
		};

		request_with(&head, "");
		assert_answer(cases[i].http_status, cases[i].part);
	}
	ck_assert_uint_eq(fake.n_applied, 0);
	access_close(api.access);
	unlink(keys);
}
END_TEST

START_TEST(feedback_without_an_id_is_answered_with_one)
{
	request("POST", "/feedback", "{\"user\":\"ada\",\"chosen\":" V ",\"rejected\":" V "}");
	assert_answer(200, "\"id\":\"" SERVED_EVENT "\"");
	ck_assert_uint_eq(fake.n_applied, 1);
}
END_TEST

START_TEST(refused_feedback_writes_nothing)
{
	request("POST", "/feedback", "{\"user\":\"ada\",\"chosen\":" V "}");
	assert_answer(422, "\"param\":\"/rejected\"");
	ck_assert_uint_eq(fake.n_applied, 0);
	ck_assert_uint_eq(atomic_load(&api.metrics.feedback[FEEDBACK_REFUSED]), 1);
}
END_TEST

START_TEST(feedback_is_counted_by_what_became_of_it)
{
	static const char body[] = "{\"user\":\"ada\",\"chosen\":" V ",\"rejected\":" V "}";

	request("POST", "/feedback", body);
	assert_answer(200, "\"duplicate\":false");
	fake.duplicate = true;
	request("POST", "/feedback", body);
	assert_answer(200, "\"duplicate\":true");
	request("POST", "/feedback",
		"{\"user\":\"ada\",\"chosen\":" V ",\"rejected\":" V ",\"dry_run\":true}");
	assert_answer(200, "\"dry_run\":true");
	fake.fails = STATUS_EVENT_ID_REUSED;
	request("POST", "/feedback", body);
	assert_answer(422, "\"param\":\"/id\"");
	for (size_t i = 0; i < N_FEEDBACK_RESULTS; i++)
		ck_assert_uint_eq(atomic_load(&api.metrics.feedback[i]), 1);
}
END_TEST

/* Up to the write, with a key. */
static enum api_next begin_with_key(struct exchange *asked, const char *user, const char *key)
{
	char body[256];

	memset(asked, 0, sizeof(*asked));
	api_open(
	    &api, asked,
	    &(struct exchange_head){.method = "POST", .path = "/feedback", .idempotency_key = key});
	snprintf(body, sizeof(body), "{\"user\":\"%s\",\"chosen\":" V ",\"rejected\":" V "}", user);
	buffer_add_string(&asked->body, body);
	return api_begin(&api, asked);
}

START_TEST(second_feedback_with_a_key_is_refused_until_the_first_is_answered)
{
	struct exchange first, other_user;

	ck_assert_int_eq(begin_with_key(&first, "ada", "\"k\""), API_WRITE);
	ck_assert_int_eq(begin_with_key(&other_user, "bob", "k"), API_WRITE);
	ck_assert_int_eq(begin_with_key(&exchange, "ada", "k"), API_ANSWERED);
	assert_answer(409, "\"param\":\"Idempotency-Key\",\"code\":\"in_progress\"");
	ck_assert_int_eq(begin_with_key(&exchange, "ada", "another"), API_WRITE);
	api_close(&api, &exchange);
	fake_store_apply(&fake, &first.op);
	api_end(&api, &first);
	ck_assert_int_eq(first.http_status, 200);
	/* before its client can have read the answer */
	ck_assert_int_eq(begin_with_key(&exchange, "ada", "k"), API_WRITE);
	api_close(&api, &exchange);
	api_close(&api, &first);
	api_close(&api, &other_user);
	ck_assert_ptr_null(api.in_progress.first);
}
END_TEST

START_TEST(refused_feedback_leaves_its_key)
{
	ck_assert_int_eq(begin_with_key(&exchange, "", "k"), API_ANSWERED);
	ck_assert_int_eq(exchange.http_status, 422);
	api_close(&api, &exchange);
	ck_assert_int_eq(begin_with_key(&exchange, "ada", "k"), API_WRITE);
	fake.fails = STATUS_STATE_BUSY;
	fake_store_apply(&fake, &exchange.op);
	api_end(&api, &exchange);
	ck_assert_int_eq(exchange.http_status, 503);
	ck_assert_ptr_null(api.in_progress.first);
	api_close(&api, &exchange);
}
END_TEST

START_TEST(fault_of_the_store_has_its_http_status)
{
	static const struct {
		enum status status;
		int http_status;
		const char *type;
	} cases[] = {
	    {STATUS_STATE_BUSY, 503, "overloaded_error"},
	    {STATUS_STATE_FULL, 507, "server_error"},
	    {STATUS_IO, 500, "server_error"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		fake.fails = cases[i].status;
		request("DELETE", "/users/ada", "");
		assert_answer(cases[i].http_status, cases[i].type);
		request("GET", "/users/ada", "");
		assert_answer(cases[i].http_status, cases[i].type);
		request("GET", "/users", "");
		assert_answer(cases[i].http_status, cases[i].type);
		request("POST", "/users/ada/reset", "{}");
		assert_answer(cases[i].http_status, cases[i].type);
		request("POST", "/score", "{\"user\":\"ada\",\"responses\":[" V "]}");
		assert_answer(cases[i].http_status, cases[i].type);
		request("GET", "/readyz", "");
		assert_answer(503, "\"reasons\":[\"the fake store fails\"]");
	}
}
END_TEST

START_TEST(stopping_daemon_is_not_ready)
{
	atomic_store(&api.stopping, true);
	request("GET", "/readyz", "");
	assert_answer(503, "the daemon is stopping");
	request("GET", "/health", "");
	assert_answer(503, "the daemon is stopping");
	request("GET", "/livez", "");
	assert_answer(200, "ok");
}
END_TEST

START_TEST(content_type_must_be_one_of_the_routes)
{
	static const struct {
		const char *path, *type;
		int http_status;
		const char *text;
	} cases[] = {
	    {"/score", "text/plain", 415, "application/json or application/vnd.safetensors"},
	    {"/feedback", "text/json", 415, "application/json or application/vnd.safetensors"},
	    {"/score", "application/problem+json", 200, "rewards"},
	    {"/score", "application/vnd.safetensors", 400, "no safetensors body"},
	    {"/feedback", "application/vnd.safetensors", 400, "no safetensors body"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		const struct exchange_head head = {
		    .method = "POST", .path = cases[i].path, .content_type = cases[i].type};

		request_with(&head, "{\"responses\":[" V "]}");
		assert_answer(cases[i].http_status, cases[i].text);
	}
}
END_TEST

START_TEST(request_id_is_the_clients_or_a_new_one)
{
	struct exchange_head head = {.method = "GET", .path = "/livez", .request_id = "req~42"};

	request_with(&head, "");
	ck_assert_str_eq(exchange.request_id, "req~42");
	api_close(&api, &exchange);
	head.request_id = "with space";
	request_with(&head, "");
	ck_assert_uint_eq(strlen(exchange.request_id), UUID_LEN);
	api_close(&api, &exchange);
}
END_TEST

START_TEST(scored_responses_are_counted)
{
	request("POST", "/score",
		"{\"items\":[{\"responses\":[" V "," V "]},{\"responses\":[" V "]}]}");
	assert_answer(200, "\"items\":[");
	ck_assert_uint_eq(atomic_load(&api.metrics.scored), 3);
}
END_TEST

START_TEST(log_has_the_route_and_no_content)
{
	static char text[65536];
	ssize_t n;

	request("GET", "/users/secret", "");
	assert_answer(404, "not_found");
	request("POST", "/score", "{\"user\":\"secret\",\"secret\":1}");
	assert_answer(422, "secret");
	fake.fails = STATUS_IO;
	request("DELETE", "/users/secret", "");
	assert_answer(500, "io_error");
	n = read(log_ends[0], text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_ptr_null(strstr(text, "secret"));
	ck_assert_ptr_nonnull(strstr(text, "level=info event=request request_id="));
	ck_assert_ptr_nonnull(strstr(text, "method=GET route=/users/{id} status=404"));
	ck_assert_ptr_nonnull(strstr(text, "level=error event=request"));
	ck_assert_ptr_nonnull(strstr(text, "code=io_error message=\"the fake store fails\""));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api");
	TCase *tcase = tcase_create("api");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, every_route_answers);
	tcase_add_test(tcase, export_is_made_as_it_is_read);
	tcase_add_test(tcase, with_keys_a_route_is_for_those_who_may);
	tcase_add_test(tcase, feedback_without_an_id_is_answered_with_one);
	tcase_add_test(tcase, refused_feedback_writes_nothing);
	tcase_add_test(tcase, feedback_is_counted_by_what_became_of_it);
	tcase_add_test(tcase, second_feedback_with_a_key_is_refused_until_the_first_is_answered);
	tcase_add_test(tcase, refused_feedback_leaves_its_key);
	tcase_add_test(tcase, fault_of_the_store_has_its_http_status);
	tcase_add_test(tcase, stopping_daemon_is_not_ready);
	tcase_add_test(tcase, content_type_must_be_one_of_the_routes);
	tcase_add_test(tcase, request_id_is_the_clients_or_a_new_one);
	tcase_add_test(tcase, scored_responses_are_counted);
	tcase_add_test(tcase, log_has_the_route_and_no_content);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
