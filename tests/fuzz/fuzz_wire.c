/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_wire.c - whole request bodies through the reader, the service with a fake
 * store, and the writer. The first byte chooses route and model, the rest is the
 * body. Whatever comes: no crash, an error with a message, or an answer that is
 * JSON with finite numbers.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "server/wire_read.h"
#include "server/wire_write.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/server/served_fixture.h"

#define N_MODELS 4

static const struct wire_limits limits = {
    .dim = SERVED_DIM, .max_items = 16, .max_responses = 16, .max_strength = 10};

static struct fake_store fake;
static struct service service;
static struct served_model *models[N_MODELS];

static void set_up(void)
{
	fake_store_init(&fake);
	fake.known_user = "u";
	service = served_service(&fake);
	service.keep_inputs = true;
	models[0] = served_open("none:4", ROUTER_LINEAR);
	models[1] = served_open("none:4", ROUTER_STATIC);
	models[2] = served_open("hash:4", ROUTER_MLP);
	models[3] = served_open("hash:4", ROUTER_LINEAR);
	served_set_templates(models[3], "{prompt}\n{response}", "{context}");
}

static enum status score(const char *body, size_t len, const struct served_model *served,
			 struct arena *arena, struct buffer *out, struct err *err)
{
	struct score_request request;
	enum status status = wire_read_score(body, len, &limits, arena, &request, err);

	if (status == STATUS_OK)
		status = service_score(&service, served, &request, arena, err);
	if (status == STATUS_OK)
		wire_write_scores(out, served->model.id, &request);
	return status;
}

static enum status learn(const char *body, size_t len, const struct served_model *served,
			 struct arena *arena, struct buffer *out, struct err *err)
{
	struct feedback feedback;
	struct store_op op;
	enum status status = wire_read_feedback(body, len, &limits, arena, &feedback, err);

	if (status == STATUS_OK)
		status = service_prepare_feedback(&service, served, &feedback, arena, &op, err);
	if (status != STATUS_OK)
		return status;
	fake_store_apply(&fake, &op);
	status = service_check_write(&op, err);
	if (status == STATUS_OK)
		wire_write_feedback(out, &op.feedback);
	return status;
}

/* Only the client is to blame: nothing that it sends is a fault of ours. */
static void check_fault(const struct err *err, enum status status)
{
	if (err->code == status && status_http(status) / 100 == 4 && err->msg[0] != '\0')
		return;
	fprintf(stderr, "status %s, message \"%s\"\n", status_code(status), err->msg);
	abort();
}

/* jansson refuses NaN, infinities and bad UTF-8. */
static void check_json(const struct buffer *out)
{
	json_error_t error;
	json_t *json = json_loadb(out->bytes, out->len, JSON_REJECT_DUPLICATES, &error);

	if (json == NULL) {
		fprintf(stderr, "%s: %.*s\n", error.text, (int)out->len, out->bytes);
		abort();
	}
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	struct buffer out = {0};
	struct err err = {0};
	enum status status;
	char *body;

	if (models[0] == NULL)
		set_up();
	if (size == 0)
		return 0;

	const struct served_model *served = models[(data[0] >> 1) % N_MODELS];

	body = mem_string((const char *)data + 1, size - 1);
	if (body == NULL)
		abort();
	if (data[0] % 2 == 0)
		status = score(body, size - 1, served, &arena, &out, &err);
	else
		status = learn(body, size - 1, served, &arena, &out, &err);
	if (status != STATUS_OK) {
		check_fault(&err, status);
		wire_write_error(&out, &err);
	}
	check_json(&out);
	buffer_free(&out);
	arena_free(&arena);
	mem_free(body);
	return 0;
}
