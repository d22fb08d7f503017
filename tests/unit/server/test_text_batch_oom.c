/* SPDX-License-Identifier: Apache-2.0 */
/* test_text_batch_oom.c - a request's texts in one call, and every allocation of that and of the
 * workers failing in turn. */
#include <string.h>

#include "core/encode/template.h"
#include "core/model/model.h"
#include "server/text_batch.h"
#include "server/workers.h"
#include "tests/unit/core/server_fixture.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define N_SWEEP 60 /* more than a call has */

static struct served_model served;
static struct input responses[2][3];
static struct question questions[2];
static struct question *const all[] = {&questions[0], &questions[1]};

static struct input text_input(const char *text)
{
	return (struct input){.kind = INPUT_TEXT, .text = {text, strlen(text)}};
}

static void set_questions(void)
{
	static const float vector[SERVER_DIM] = {1, 2, 3, 4};

	responses[0][0] = text_input("a");
	responses[0][1] =
	    (struct input){.kind = INPUT_VECTOR, .vector = feature_row_dense(vector, SERVER_DIM)};
	responses[0][2] = text_input("b");
	responses[1][0] = text_input("a");
	questions[0] = (struct question){
	    .context = "c", .prompt = text_input("p"), .responses = responses[0], .n_responses = 3};
	questions[1] = (struct question){
	    .context = "", .prompt = text_input("q"), .responses = responses[1], .n_responses = 1};
}

static void start(void)
{
	struct encoder_options options;

	server_start();
	encoder_options_init(&options);
	options.url = server_url();
	ck_assert_int_eq(encoder_open_at("tei:4", &options, &served.encoder, NULL), STATUS_OK);
	ck_assert_int_eq(model_init(&served.model, 2, ROUTER_LINEAR, 0, served.encoder, NULL),
			 STATUS_OK);
	set_questions();
}

static void stop(void)
{
	model_free(&served.model);
	encoder_close(served.encoder);
	served = (struct served_model){0};
	server_stop();
}

/* Gathered and finished, if there is anything to do. */
static enum status encode_all(size_t n_questions, struct arena *arena)
{
	struct text_batch *batch;
	enum status status = text_batch_gather(&served, all, n_questions, arena, &batch, NULL);

	if (status == STATUS_OK && batch != NULL)
		status = text_batch_finish(batch, NULL);
	return status;
}

static void assert_encoded(const struct input *input, const char *text)
{
	float want[SERVER_DIM];

	server_vector(text, strlen(text), want);
	ck_assert_ptr_nonnull(input->encoded);
	ck_assert_mem_eq(input->encoded, want, sizeof(want));
}

START_TEST(texts_of_all_questions_are_one_call)
{
	size_t before = server_n_requests();
	struct arena arena = {0};

	ck_assert_int_eq(encode_all(2, &arena), STATUS_OK);
	ck_assert_uint_eq(server_n_requests(), before + 1);
	assert_encoded(&questions[0].prompt, "c\np");
	assert_encoded(&responses[0][0], "a");
	ck_assert_ptr_null(responses[0][1].encoded);
	assert_encoded(&responses[0][2], "b");
	assert_encoded(&questions[1].prompt, "\nq");
	assert_encoded(&responses[1][0], "a");
	/* it was sent once, and is the same vector */
	ck_assert_ptr_eq(responses[1][0].encoded, responses[0][0].encoded);
	ck_assert_ptr_ne(responses[1][0].encoded, responses[0][2].encoded);
	arena_free(&arena);
}
END_TEST

START_TEST(vectors_alone_need_no_call)
{
	static const float vector[SERVER_DIM] = {1, 2, 3, 4};
	size_t before = server_n_requests();
	struct text_batch *batch;
	struct arena arena = {0};

	questions[0].prompt =
	    (struct input){.kind = INPUT_VECTOR, .vector = feature_row_dense(vector, SERVER_DIM)};
	questions[0].responses = &responses[0][1];
	questions[0].n_responses = 1;
	ck_assert_int_eq(text_batch_gather(&served, all, 1, &arena, &batch, NULL), STATUS_OK);
	ck_assert_ptr_null(batch);
	ck_assert_uint_eq(server_n_requests(), before);
	arena_free(&arena);
}
END_TEST

START_TEST(batch_may_be_given_up)
{
	size_t before = server_n_requests();
	struct text_batch *batch;
	struct arena arena = {0};

	ck_assert_int_eq(text_batch_gather(&served, all, 2, &arena, &batch, NULL), STATUS_OK);
	ck_assert_ptr_nonnull(batch);
	text_batch_close(batch);
	text_batch_close(batch);
	text_batch_close(NULL);
	ck_assert_uint_eq(server_n_requests(), before);
	ck_assert_ptr_null(responses[0][0].encoded);
	arena_free(&arena);
}
END_TEST

START_TEST(encode_survives_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	int n_failed = 0;

	for (long n = 0; n < N_SWEEP; n++) {
		struct arena arena = {0};

		set_questions();
		mem_fail_after(n);
		status = encode_all(2, &arena);
		mem_fail_after(-1);
		ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
		if (status == STATUS_OK)
			assert_encoded(&responses[0][2], "b");
		else
			ck_assert_ptr_null(responses[0][2].encoded);
		n_failed += status != STATUS_OK;
		arena_free(&arena);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n_failed, 8);
}
END_TEST

START_TEST(workers_survive_any_failed_allocation)
{
	struct workers *workers;

	for (long n = 0; n < 2; n++) {
		mem_fail_after(n);
		ck_assert_int_eq(workers_start(2, 2, &workers, NULL), STATUS_NO_MEMORY);
		mem_fail_after(-1);
		ck_assert_ptr_null(workers);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text batch");
	TCase *tcase = tcase_create("batch");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, texts_of_all_questions_are_one_call);
	tcase_add_test(tcase, vectors_alone_need_no_call);
	tcase_add_test(tcase, batch_may_be_given_up);
	tcase_add_test(tcase, encode_survives_any_failed_allocation);
	tcase_add_test(tcase, workers_survive_any_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
