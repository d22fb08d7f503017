/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_request.c - whole requests through the routes and the service with a fake store. The first
 * byte chooses model, access and what the store does; the rest is written as HTTP is:
 *
 *   POST /score
 *   Authorization: Bearer KEY
 *   ?user=u
 *
 *   {"responses": ["a"]}
 *
 * Whatever comes: a status that this request may have, a body of the kind that it says it is, an
 * error object for what is refused, and as many finite rewards as there are responses.
 */
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "server/api.h"
#include "server/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/server/key_fixture.h"
#include "tests/unit/server/served_fixture.h"

#define N_MODELS  4
#define N_HEADERS 9

/* What the first byte chooses. */
enum { MODEL_BITS = 3, KEYS_BIT = 4, STOPPING_BIT = 8, FAULT_SHIFT = 4 };

static const struct {
	const char *spec;
	enum router_kind kind;
} kinds[N_MODELS] = {
    {"none:4", ROUTER_LINEAR},
    {"none:4", ROUTER_STATIC},
    {"hash:4", ROUTER_MLP},
    {"hash:4", ROUTER_LINEAR},
};

/* Of the store, most often none. */
static const enum status faults[16] = {
    [12] = STATUS_STATE_BUSY,
    [13] = STATUS_STATE_FULL,
    [14] = STATUS_STATE_CORRUPT,
    [15] = STATUS_NO_MEMORY,
};

/* The request's lines, cut out of a copy of the input. */
struct request {
	char *text;
	struct exchange_head head;
	const char *body;
	size_t n_body;
};

static struct fake_store fake;
static struct api api;
static struct access *keys;
static struct live_model *models[N_MODELS];

static void require(bool ok, const char *what, const struct exchange *exchange)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %d %.*s\n", what, exchange->http_status, (int)exchange->text_len,
		exchange->text == NULL ? "" : exchange->text);
	abort();
}

static void must(enum status status)
{
	if (status != STATUS_OK)
		abort();
}

static void open_models(void)
{
	for (size_t i = 0; i < N_MODELS; i++) {
		char path[64];

		served_save(kinds[i].spec, kinds[i].kind, path);
		must(live_model_open(path, &models[i], NULL));
		unlink(path);
	}
}

static void open_keys(void)
{
	static const char *const names[] = {"all", "score", "feedback", "admin", "none"};
	static const unsigned scopes[] = {SCOPE_ALL, SCOPE_SCORE, SCOPE_FEEDBACK, SCOPE_ADMIN, 0};
	char path[] = "/tmp/micro-fuzz-keys-XXXXXX";
	char text[5 * API_KEY_LINE_MAX] = "";
	const struct access_options options = {.path = path};

	close(mkstemp(path));
	for (size_t i = 0; i < 5; i++)
		key_fixture_line(names[i], scopes[i], names[i], text + strlen(text));
	key_fixture_write(path, text);
	must(access_open(&options, &keys, NULL));
	unlink(path);
}

static void set_up(void)
{
	log_open(LOG_DEBUG, open("/dev/null", O_WRONLY | O_CLOEXEC));
	fake_store_init(&fake);
	fake.known_user = "u";
	fake.bias[1] = -1.5;
	fake.updates = 5;
	api.service = served_service(&fake);
	api.service.keep_inputs = true;
	api.access_log = true;
	api.max_items = api.max_responses = 16;
	api.max_strength = 10;
	must(writer_start(&fake.store, 4, 4, &api.writer, NULL));
	open_models();
	open_keys();
}

/* ---- the request ---- */

/* The next line of *at, ended by NUL in place of its newline; "" at the end. */
static char *next_line(char **at, char *end)
{
	char *line = *at;
	char *newline = memchr(line, '\n', (size_t)(end - line));

	if (newline == NULL) {
		*at = end; /* is NUL */
		return line;
	}
	*newline = '\0';
	*at = newline + 1;
	return line;
}

static void read_header(const char *line, struct exchange_head *head)
{
	static const char *const names[N_HEADERS] = {
	    "Content-Type: ", "X-Request-Id: ",	   "Authorization: ",
	    "X-Micro-User: ", "X-Micro-Context: ", "?user=",
	    "?context=",      "?format=",	   "Idempotency-Key: "};
	const char **values[N_HEADERS] = {&head->content_type,		&head->request_id,
					  &head->authorization,		&head->person.header_user,
					  &head->person.header_context, &head->person.query_user,
					  &head->person.query_context,	&head->format,
					  &head->idempotency_key};

	for (size_t i = 0; i < N_HEADERS; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(line, names[i], len) == 0)
			*values[i] = line + len;
	}
}

static void read_request(const uint8_t *data, size_t size, struct request *out)
{
	char *at, *end, *line, *space;

	*out = (struct request){.text = mem_string((const char *)data, size)};
	if (out->text == NULL)
		abort();
	at = out->text;
	end = at + size;
	line = next_line(&at, end);
	space = strchr(line, ' ');
	if (space != NULL)
		*space = '\0';
	out->head.method = line;
	out->head.path = space == NULL ? "/" : space + 1;
	while ((line = next_line(&at, end))[0] != '\0')
		read_header(line, &out->head);
	out->body = at;
	out->n_body = (size_t)(end - at);
}

/* ---- the answer ---- */

static bool is_status(int http_status)
{
	if (http_status == 200)
		return true;
	for (enum status s = STATUS_OK + 1; s < N_STATUSES; s++) {
		if (status_http(s) == http_status)
			return true;
	}
	return false;
}

static bool tells_readiness(enum route route)
{
	return route == ROUTE_READYZ || route == ROUTE_HEALTH;
}

/* Only what the store was told to do may be a fault of ours. */
static void check_status(const struct exchange *exchange)
{
	int code = exchange->http_status;
	bool is_ready = tells_readiness(exchange->match.route) && code == 503;

	require(is_status(code), "status", exchange);
	if (code == 200 || code / 100 == 4 || is_ready)
		return;
	require(fake.fails != STATUS_OK && code == status_http(fake.fails), "fault", exchange);
}

static void check_access(const struct exchange *exchange, const struct exchange_head *head)
{
	enum route route = exchange->match.route;
	bool is_open = route == ROUTE_LIVEZ || tells_readiness(route);

	if (api.access == NULL || is_open)
		return;
	require(exchange->http_status == 401 || exchange->caller.name[0] != '\0', "key", exchange);
	require(exchange->http_status == 401 || head->authorization != NULL, "header", exchange);
}

static const char *string_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text == NULL ? "" : text;
}

static void check_error(const json_t *json, const struct exchange *exchange)
{
	const json_t *error = json_object_get(json, "error");

	if (tells_readiness(exchange->match.route) && exchange->http_status == 503) {
		require(json_array_size(json_object_get(json, "reasons")) == 1, "reason", exchange);
		return;
	}
	require(json_object_size(json) == 1 && json_object_size(error) == 4, "error", exchange);
	require(string_of(error, "message")[0] != '\0', "message", exchange);
	require(string_of(error, "type")[0] != '\0', "type", exchange);
	require(strcmp(string_of(error, "code"), status_code(exchange->err.code)) == 0, "code",
		exchange);
	require(json_object_get(error, "param") != NULL, "param", exchange);
}

static void check_weights(const json_t *item, const struct exchange *exchange)
{
	const json_t *weights = json_object_get(item, "weights");
	double sum = 0;

	require(json_array_size(weights) == SERVED_HEADS, "weights", exchange);
	for (size_t k = 0; k < SERVED_HEADS; k++) {
		double weight = json_number_value(json_array_get(weights, k));

		require(weight >= 0, "weight", exchange);
		sum += weight;
	}
	require(fabs(sum - 1) < 1e-6, "sum", exchange);
}

/* One item of a score against what was asked. */
static void check_item(const json_t *item, const json_t *asked, const struct exchange *exchange)
{
	size_t n = json_array_size(json_object_get(asked, "responses"));
	const json_t *rewards = json_object_get(item, "rewards");
	const json_t *preference = json_object_get(item, "preference");
	double p = json_number_value(preference);

	require(n > 0 && json_array_size(rewards) == n, "rewards", exchange);
	for (size_t i = 0; i < n; i++)
		require(json_is_number(json_array_get(rewards, i)), "reward", exchange);
	require(json_is_number(preference) == (n == 2), "preference", exchange);
	require(p >= 0 && p <= 1, "probability", exchange);
	check_weights(item, exchange);
}

static void check_score(const json_t *json, const struct request *request,
			const struct exchange *exchange)
{
	json_t *asked = json_loadb(request->body, request->n_body,
				   JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const json_t *items = json_object_get(asked, "items");
	const json_t *answers = json_object_get(json, "items");

	require(asked != NULL, "no JSON was scored", exchange);
	if (json_object_get(asked, "response") != NULL) { /* slime's */
		json_decref(asked);
		return;
	}
	require((items == NULL) == (answers == NULL), "items", exchange);
	if (items == NULL)
		check_item(json, asked, exchange);
	require(json_array_size(items) == json_array_size(answers), "items", exchange);
	for (size_t i = 0; i < json_array_size(items); i++)
		check_item(json_array_get(answers, i), json_array_get(items, i), exchange);
	json_decref(asked);
}

/* jansson refuses NaN, infinities and bad UTF-8. */
static void check_json(const struct request *request, const struct exchange *exchange)
{
	const bool any = exchange->http_status == 200; /* an array or a number, for some clients */
	json_t *json =
	    json_loadb(exchange->text, exchange->text_len,
		       JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | (any ? JSON_DECODE_ANY : 0), NULL);

	require(json != NULL && (any || json_is_object(json)), "JSON", exchange);
	if (exchange->http_status != 200)
		check_error(json, exchange);
	else if (exchange->match.route == ROUTE_SCORE)
		check_score(json, request, exchange);
	else if (exchange->match.route == ROUTE_FEEDBACK)
		check_weights(json, exchange);
	json_decref(json);
}

static void check_answer(const struct request *request, const struct exchange *exchange)
{
	check_status(exchange);
	check_access(exchange, &request->head);
	require(identifier_is_request_id(exchange->request_id), "request id", exchange);
	require((exchange->err.code == STATUS_OK) == (exchange->http_status == 200), "code",
		exchange);
	if (strcmp(exchange->content_type, "application/json") == 0)
		check_json(request, exchange);
	else
		require(exchange->http_status == 200 &&
			    exchange->text[exchange->text_len - 1] == '\n',
			"text", exchange);
}

static void answer(const struct request *request, struct exchange *exchange)
{
	api_open(&api, exchange, &request->head);
	if (exchange->http_status != 0)
		return;
	if (exchange->match.method == METHOD_POST)
		buffer_add(&exchange->body, request->body, request->n_body);
	if (api_begin(&api, exchange) == API_WRITE) {
		fake_store_apply(&fake, &exchange->op);
		api_end(&api, exchange);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exchange exchange = {0};
	struct request request;

	if (api.writer == NULL)
		set_up();
	if (size == 0)
		return 0;
	api.live = models[data[0] & MODEL_BITS];
	api.access = (data[0] & KEYS_BIT) != 0 ? keys : NULL;
	atomic_store(&api.stopping, (data[0] & STOPPING_BIT) != 0);
	fake.fails = faults[data[0] >> FAULT_SHIFT];
	read_request(data + 1, size - 1, &request);
	answer(&request, &exchange);
	check_answer(&request, &exchange);
	api_close(&api, &exchange);
	require(atomic_load(&api.metrics.in_flight) == 0, "in flight", &exchange);
	mem_free(request.text);
	return 0;
}
