/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/api.h"
#include "server/log.h"
#include "server/receipt.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

#define KEY "0123456789abcdef0123456789abcdef"
#define V   "{\"embedding\":[1,0,0,0]}"

static struct api api;
static struct fake_store fake;
static char path[64];

static void set_up(void)
{
	log_open(LOG_ERROR, open("/dev/null", O_WRONLY));
	served_save("none:4", ROUTER_STATIC, path);
	fake_store_init(&fake);
	fake.known_user = "ada";
	api.service = served_service(&fake);
	api.max_items = api.max_responses = 4;
	api.max_strength = 10;
	ck_assert_int_eq(live_model_open(path, &api.live, NULL), STATUS_OK);
	ck_assert_int_eq(writer_start(&fake.store, 4, 4, &api.writer, NULL), STATUS_OK);
}

static void tear_down(void)
{
	writer_stop(api.writer);
	live_model_close(api.live);
	unlink(path);
}

/* Texts are asked of the model for texts. */
static void serve(const char *spec)
{
	live_model_close(api.live);
	unlink(path);
	served_save(spec, ROUTER_STATIC, path);
	ck_assert_int_eq(live_model_open(path, &api.live, NULL), STATUS_OK);
}

/* What is asked; body: [len]. */
struct ask {
	const char *method, *route, *body;
	size_t len;
	const char *content_type; /* NULL: none */
};

/* Under /users a context is asked for by GET /users/{id} alone. */
static bool names_context(const struct ask *ask)
{
	return strncmp(ask->route, "/users", 6) != 0 ||
	       (strcmp(ask->method, "GET") == 0 && strcmp(ask->route, "/users/ada/export") != 0);
}

static void answer(const struct ask *ask, struct exchange *exchange)
{
	const struct exchange_head head = {
	    .method = ask->method,
	    .path = ask->route,
	    .content_type = ask->content_type,
	    .authorization = "Bearer " KEY,
	    .person = {.query_user = "ada", .query_context = names_context(ask) ? "c" : NULL},
	};

	api_open(&api, exchange, &head);
	if (exchange->http_status != 0)
		return;
	buffer_add(&exchange->body, ask->body, ask->len);
	if (buffer_status(&exchange->body, "the body", &exchange->err) != STATUS_OK) {
		api_refuse(&api, exchange);
		return;
	}
	if (api_begin(&api, exchange) == API_WRITE) {
		fake_store_apply(&fake, &exchange->op);
		api_end(&api, exchange);
	}
}

static void assert_body(const struct exchange *exchange, long n)
{
	json_t *json;

	if (strcmp(exchange->content_type, "application/json") != 0) {
		ck_assert_int_eq(exchange->http_status, 200);
		ck_assert(exchange->stream != NULL || exchange->text_len > 0);
		return;
	}
	json = json_loadb(exchange->text, exchange->text_len, 0, NULL);

	ck_assert_msg(json != NULL, "allocation %ld: %.*s", n, (int)exchange->text_len,
		      exchange->text);
	json_decref(json);
}

/* A feedback by a receipt that the service made, in the context that is asked for. */
static const char *choice_body(struct arena *arena)
{
	static const float numbers[2 * SERVED_HEADS] = {1, 0, 0.5f};
	static char body[2048];
	struct served_model *served = live_model_acquire(api.live);
	const struct receipt receipt = {
	    .user = "ada",
	    .context = "c",
	    .model_id = served->model.id,
	    .issued_us = SERVED_TIME_US,
	    .n_responses = 2,
	    .n_heads = SERVED_HEADS,
	    .logits = numbers,
	    .reward = numbers,
	};
	const char *token;

	ck_assert_int_eq(receipt_seal(&receipt, &api.service.receipt_key, arena, &token, NULL),
			 STATUS_OK);
	snprintf(body, sizeof(body), "{\"receipt\":\"%s\",\"chosen\":0,\"rejected\":[1]}", token);
	live_model_release(api.live, served);
	return body;
}

/* An import of one feedback. */
static const char *import_body(void)
{
	static const char form[] =
	    "{\"type\":\"user\",\"format\":\"micro-user/1\",\"user\":\"ada\","
	    "\"exported_at\":\"2026-01-02T00:00:00.000000Z\"}\n"
	    "{\"type\":\"state\",\"context\":null,\"model\":\"%s\",\"updates\":1,"
	    "\"updated_at\":\"2026-01-01T00:00:00.000000Z\","
	    "\"log_weights\":[-1.0986122886681098,-1.0986122886681098,-1.0986122886681098]}\n"
	    "{\"type\":\"event\",\"id\":\"e\",\"context\":null,\"model\":\"%s\","
	    "\"at\":\"2026-01-01T00:00:00.000000Z\",\"temperature\":1,\"strength\":1,"
	    "\"drift\":0,\"digest\":\"000102030405060708090a0b0c0d0e0f\","
	    "\"losses\":[0.5,0.5,0.5],\"weights\":[0.25,0.25,0.5],\"updates\":1,"
	    "\"input\":null}\n"
	    "{\"type\":\"end\",\"states\":1,\"events\":1}\n";
	static char body[2048];
	struct served_model *served = live_model_acquire(api.live);

	snprintf(body, sizeof(body), form, served->model.id, served->model.id);
	live_model_release(api.live, served);
	return body;
}

/* Whether the body that a stream makes, if there is one, comes to its end. */
static bool read_to_the_end(struct exchange *exchange)
{
	char piece[64];
	ssize_t n = 0;

	if (exchange->stream == NULL)
		return true;
	do
		n = api_read_stream(&api, exchange, piece, sizeof(piece));
	while (n > 0);
	return n == 0;
}

/* It answers 503 until there is enough memory, then 200; a stream may break off. */
static void sweep_ask(const struct ask *ask)
{
	bool whole = false;

	for (long n = 0; !whole; n++) {
		struct exchange exchange = {0};
		int http_status;

		mem_fail_after(n);
		answer(ask, &exchange);
		whole = read_to_the_end(&exchange) && exchange.http_status == 200;
		mem_fail_after(-1);
		http_status = exchange.http_status;
		ck_assert_msg(http_status == 200 || http_status == 503, "%s, %ld: %d, %.*s",
			      ask->route, n, http_status, (int)exchange.text_len, exchange.text);
		assert_body(&exchange, n);
		api_close(&api, &exchange);
	}
	ck_assert_int_eq(atomic_load(&api.metrics.in_flight), 0);
}

static void sweep(const char *method, const char *route, const char *body)
{
	sweep_ask(&(struct ask){method, route, body, strlen(body), NULL});
}

/* Without memory every route still answers, in JSON: 503, and 200 once there is enough. */
START_TEST(every_failed_allocation_is_answered)
{
	struct arena arena = {0};
	const struct {
		const char *method, *route, *body;
	} cases[] = {
	    {"POST", "/score", "{\"user\":\"ada\",\"responses\":[" V "]}"},
	    {"POST", "/feedback", "{\"user\":\"ada\",\"chosen\":" V ",\"rejected\":" V "}"},
	    {"POST", "/score", "{\"user\":\"ada\",\"receipt\":true,\"responses\":[" V "]}"},
	    {"POST", "/feedback", choice_body(&arena)},
	    {"POST", "/feedback",
	     "{\"user\":\"ada\",\"dry_run\":true,\"explain\":true,\"chosen\":" V ",\"rejected\":" V
	     "}"},
	    {"POST", "/feedback",
	     "{\"user\":\"ada\",\"explain\":true,\"chosen\":" V ",\"rejected\":" V "}"},
	    {"GET", "/users/ada", ""},
	    {"GET", "/users/ada/export", ""},
	    {"DELETE", "/users/ada", ""},
	    {"GET", "/users", ""},
	    {"POST", "/users/ada/reset", "{\"context\":\"work\"}"},
	    {"GET", "/model", ""},
	    {"GET", "/metrics", ""},
	    {"GET", "/livez", ""},
	    {"GET", "/readyz", ""},
	    {"GET", "/openapi.yaml", ""},
	};

	for (size_t i = 0; i < LENGTH(cases); i++)
		sweep(cases[i].method, cases[i].route, cases[i].body);
	sweep_ask(&(struct ask){"POST", "/users/ada/import", import_body(), strlen(import_body()),
				"application/x-ndjson"});
	arena_free(&arena);
}
END_TEST

/* With keys, several items, routers and templates that read the prompt, and pairs that are kept. */
START_TEST(every_failed_allocation_of_texts_is_answered)
{
	const struct access_options options = {.key = KEY};

	serve("hash:4");
	api.service.keep_inputs = true;
	ck_assert_int_eq(access_open(&options, &api.access, NULL), STATUS_OK);
	sweep("POST", "/score",
	      "{\"items\":[{\"user\":\"ada\",\"prompt\":\"p\",\"responses\":[\"a \\u00e9\",\"b\"]},"
	      "{\"responses\":[\"\"]}]}");
	sweep("POST", "/feedback",
	      "{\"user\":\"ada\",\"context\":\"c\",\"id\":\"e\",\"prompt\":\"p\",\"chosen\":\"a\","
	      "\"rejected\":\"b\",\"strength\":0.5}");
	sweep("GET", "/users/ada", "");
	sweep("GET", "/metrics", "");
	access_close(api.access);
	api.access = NULL;
}
END_TEST

/* Two rows of zeros with a header that names them. */
static void sweep_tensors(const char *route, const char *head)
{
	const uint64_t head_len = strlen(head);
	const size_t n_data = 2 * SERVED_DIM * sizeof(float);
	char body[1024] = {0};

	ck_assert_uint_le(sizeof(head_len) + head_len + n_data, sizeof(body));
	memcpy(body, &head_len, sizeof(head_len));
	memcpy(body + sizeof(head_len), head, head_len);
	sweep_ask(&(struct ask){"POST", route, body, sizeof(head_len) + head_len + n_data,
				"application/vnd.safetensors"});
}

START_TEST(every_failed_allocation_of_tensors_is_answered)
{
	sweep_tensors("/score", "{\"responses\":{\"dtype\":\"F32\",\"shape\":[2,4],"
				"\"data_offsets\":[0,32]}}");
	sweep_tensors("/feedback",
		      "{\"__metadata__\":{\"request\":\"{\\\"user\\\":\\\"ada\\\","
		      "\\\"id\\\":\\\"e\\\"}\"},"
		      "\"chosen\":{\"dtype\":\"F32\",\"shape\":[1,4],\"data_offsets\":[0,16]},"
		      "\"rejected\":{\"dtype\":\"F32\",\"shape\":[1,4],\"data_offsets\":[16,32]}}");
}
END_TEST

START_TEST(every_failed_allocation_of_other_protocols_is_answered)
{
	static const struct {
		const char *route, *body;
	} cases[] = {
	    {"/score", "{\"prompt\":\"p\",\"response\":\"a\"}"},
	    {"/get_reward", "{\"query\":[\"pa\",\"b\"],\"prompts\":[\"p\",\"q\"]}"},
	    {"/classify", "{\"input\":[\"a\",\"b\"]}"},
	    {"/classify", "{\"text\":[\"a\"]}"},
	    {"/classify", "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
			  "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"p\"}]},"
			  "{\"role\":\"assistant\",\"content\":\"a\"}]}"},
	    {"/score/evaluation", "{\"messages\":[\"a\"]}"},
	    {"/rerank",
	     "{\"query\":\"p\",\"documents\":[\"a\",{\"text\":\"b\"}],\"user\":\"ada\"}"},
	};

	serve("hash:4");
	for (size_t i = 0; i < LENGTH(cases); i++)
		sweep("POST", cases[i].route, cases[i].body);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("api_oom");
	TCase *tcase = tcase_create("api");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, every_failed_allocation_is_answered);
	tcase_add_test(tcase, every_failed_allocation_of_texts_is_answered);
	tcase_add_test(tcase, every_failed_allocation_of_tensors_is_answered);
	tcase_add_test(tcase, every_failed_allocation_of_other_protocols_is_answered);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
