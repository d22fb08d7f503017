/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/model/hedge.h"
#include "server/service.h"
#include "tests/unit/server/input_fixture.h"
#include "tests/unit/server/served_fixture.h"
#include "tests/unit/unit.h"

#define K SERVED_HEADS

static struct arena arena;
static struct fake_store fake;
static struct service service;
static struct served_model *served;

static const float vector_a[SERVED_DIM] = {1, 2, 0, -1};
static const float vector_b[SERVED_DIM] = {0, -1, 1, 0.5f};
static const float vector_c[SERVED_DIM] = {0.5f, 0.25f, -2, 1};
static const float vector_huge[SERVED_DIM] = {FLT_MAX, FLT_MAX, FLT_MAX, FLT_MAX};

static void set_up(void)
{
	fake_store_init(&fake);
	service = served_service(&fake);
	served = NULL;
}

static void tear_down(void)
{
	arena_free(&arena);
	served_close(served);
}

/* Two vectors for a user, in a context. */
static struct score_item pair_item(const char *user, const char *context, struct input *responses)
{
	responses[0] = input_vector(vector_b, "responses");
	responses[1] = input_vector(vector_c, "responses");
	return (struct score_item){
	    .user = user,
	    .question = {context, input_vector(vector_a, "prompt"), responses, 2},
	};
}

static enum status score(struct score_item *items, size_t n, struct err *err)
{
	struct score_request request = {.items = items, .n_items = n};

	return service_score(&service, served, &request, &arena, err);
}

static void must_score(struct score_item *items, size_t n)
{
	struct err err = {0};

	ck_assert_msg(score(items, n, &err) == STATUS_OK, "%s at %s", err.msg, err.param);
}

/* ---- the same by hand, in double precision ---- */

/* w = softmax(b + s) of a static router */
static void weights_by_hand(const double *bias, double *w)
{
	for (size_t k = 0; k < K; k++)
		w[k] = served_router_bias[k] + bias[k];
	log_softmax(w, K);
	for (size_t k = 0; k < K; k++)
		w[k] = exp(w[k]);
}

static double reward_by_hand(const double *w, const float *x)
{
	double sum = 0;

	for (size_t k = 0; k < K; k++)
		sum += w[k] * (served_head_reward(k, x) - served_center[k]);
	return sum;
}

static double preference_by_hand(const double *w, const float *x, const float *y)
{
	double sum = 0;

	for (size_t k = 0; k < K; k++)
		sum += w[k] * sigmoid(served_head_reward(k, x) - served_head_reward(k, y));
	return sum;
}

static void assert_item_by_hand(const struct score_item *item, const double *bias)
{
	double w[K];

	weights_by_hand(bias, w);
	for (size_t k = 0; k < K; k++)
		ck_assert_double_eq_tol(item->weights[k], w[k], 1e-12);
	ck_assert_double_eq_tol(item->rewards[0], reward_by_hand(w, vector_b), 1e-12);
	ck_assert_double_eq_tol(item->rewards[1], reward_by_hand(w, vector_c), 1e-12);
	ck_assert_double_eq_tol(item->preference, preference_by_hand(w, vector_b, vector_c), 1e-12);
}

/* ---- service_score ---- */

START_TEST(score_without_user_is_the_router_alone)
{
	static const double none[K] = {0};
	struct input responses[2];
	struct score_item item = pair_item(NULL, "work", responses);

	served = served_open("none:4", ROUTER_STATIC);
	must_score(&item, 1);
	assert_item_by_hand(&item, none);
	ck_assert_uint_eq(item.updates, 0);
	ck_assert_uint_eq(fake.n_reads, 0);
}
END_TEST

START_TEST(score_of_a_known_user_adds_the_log_weights)
{
	struct input responses[2];
	struct score_item item = pair_item("ada", "work", responses);

	served = served_open("none:4", ROUTER_STATIC);
	fake.known_user = "ada";
	memcpy(fake.bias, (double[K]){-3, -0.1, -2}, sizeof(fake.bias));
	fake.updates = 9;
	must_score(&item, 1);
	assert_item_by_hand(&item, fake.bias);
	ck_assert_uint_eq(item.updates, 9);
	ck_assert_str_eq(fake.last_context, "work");
}
END_TEST

START_TEST(state_of_one_item_does_not_leak_into_the_next)
{
	static const double none[K] = {0};
	struct input responses[2][2];
	struct score_item items[] = {pair_item("ada", "", responses[0]),
				     pair_item(NULL, "", responses[1])};

	served = served_open("none:4", ROUTER_STATIC);
	fake.known_user = "ada";
	fake.bias[0] = -5;
	must_score(items, 2);
	assert_item_by_hand(&items[1], none);
	ck_assert_uint_eq(items[1].updates, 0);
}
END_TEST

START_TEST(masked_head_has_no_weight)
{
	struct input responses[2];
	struct score_item item = pair_item(NULL, "", responses);

	served = served_open("none:4", ROUTER_STATIC);
	served->model.mask[1] = true;
	must_score(&item, 1);
	ck_assert_double_eq(item.weights[1], 0);
	ck_assert_double_eq_tol(item.weights[0] + item.weights[2], 1, 1e-15);
}
END_TEST

/* An item of n_responses texts or vectors that depend on seed. */
static struct score_item mixed_item(size_t seed, struct input *responses, char texts[][32],
				    float (*vectors)[SERVED_DIM])
{
	size_t n = 1 + seed % 4;

	for (size_t i = 0; i < n; i++) {
		snprintf(texts[i], 32, "answer %zu of %zu", seed, i);
		for (size_t d = 0; d < SERVED_DIM; d++)
			vectors[i][d] = sinf((float)(seed * 31 + i * 7 + d));
		responses[i] = (seed + i) % 2 == 0 ? input_text(texts[i], "responses")
						   : input_vector(vectors[i], "responses");
	}
	return (struct score_item){
	    .question = {"", input_text("a question", "prompt"), responses, n}};
}

START_TEST(item_scores_the_same_alone_and_among_others)
{
	static struct input responses[40][4];
	static char texts[40][4][32];
	static float vectors[40][4][SERVED_DIM];
	struct score_item together[40];

	served = served_open("hash:4", ROUTER_MLP);
	for (size_t i = 0; i < 40; i++)
		together[i] = mixed_item(i, responses[i], texts[i], vectors[i]);
	must_score(together, 40);
	for (size_t i = 0; i < 40; i++) {
		struct score_item alone = together[i];
		size_t n_bytes = alone.question.n_responses * sizeof(double);

		must_score(&alone, 1);
		ck_assert_msg(memcmp(alone.rewards, together[i].rewards, n_bytes) == 0 &&
				  memcmp(alone.weights, together[i].weights, K * sizeof(double)) ==
				      0 &&
				  alone.preference == together[i].preference,
			      "item %zu", i);
	}
}
END_TEST

START_TEST(vector_stands_for_the_features_of_its_text)
{
	struct features phi;
	float x[SERVED_DIM];
	const struct text words = {"some words", 10};
	struct input by_text[] = {input_text("some words", "responses")};
	struct input by_vector[] = {input_vector(x, "responses")};
	struct score_item items[] = {
	    {.question = {"", input_text("p", "prompt"), by_text, 1}},
	    {.question = {"", input_text("p", "prompt"), by_vector, 1}},
	};

	served = served_open("hash:4", ROUTER_LINEAR);
	features_init(&phi, SERVED_DIM, encoder_is_sparse(served->encoder));
	ck_assert_int_eq(encoder_encode(served->encoder, &words, 1, &phi, NULL), STATUS_OK);
	feature_row_copy(features_row(&phi, 0), x);
	features_free(&phi);
	must_score(items, 2);
	ck_assert_double_eq_tol(items[0].rewards[0], items[1].rewards[0], 1e-6);
}
END_TEST

START_TEST(template_puts_context_and_prompt_into_phi)
{
	struct input rendered[] = {input_text("c p a", "responses")};
	struct input plain[] = {input_text("a", "responses")};
	struct score_item items[] = {
	    {.question = {"c", input_text("p", "prompt"), plain, 1}},
	    {.question = {"", input_text("", "prompt"), rendered, 1}},
	};

	served = served_open("hash:4", ROUTER_STATIC);
	served_set_templates(served, "{context} {prompt} {response}", "{prompt}");
	must_score(items, 1);
	served_set_templates(served, "{response}", "{prompt}");
	must_score(items + 1, 1);
	ck_assert_double_eq(items[0].rewards[0], items[1].rewards[0]);
}
END_TEST

START_TEST(empty_texts_are_texts)
{
	struct input responses[] = {input_text("", "responses")};
	struct score_item item = {.question = {"", input_text("", "prompt"), responses, 1}};

	served = served_open("hash:4", ROUTER_MLP);
	must_score(&item, 1);
}
END_TEST

START_TEST(question_that_the_model_cannot_answer_is_refused)
{
	struct input a_text = input_text("t", "responses"),
		     a_vector = input_vector(vector_a, "responses");
	const struct {
		const char *spec;
		enum router_kind kind;
		const char *phi, *psi;
		struct input prompt;
		struct input *response;
		enum status want;
		const char *param;
	} cases[] = {
	    {"none:4", ROUTER_LINEAR, "{response}", "{prompt}", input_absent("prompt"), &a_vector,
	     STATUS_MISSING_FIELD, "/prompt"},
	    {"none:4", ROUTER_LINEAR, "{response}", "{prompt}", input_vector(vector_a, "prompt"),
	     &a_text, STATUS_INVALID_TYPE, "/responses"},
	    {"none:4", ROUTER_LINEAR, "{response}", "{prompt}", input_text("p", "prompt"),
	     &a_vector, STATUS_INVALID_TYPE, "/prompt"},
	    {"none:4", ROUTER_STATIC, "{response}", "{prompt}", input_absent("prompt"), &a_vector,
	     STATUS_OK, ""},
	    {"hash:4", ROUTER_MLP, "{response}", "{context}{prompt}", input_absent("prompt"),
	     &a_text, STATUS_MISSING_FIELD, "/prompt"},
	    {"hash:4", ROUTER_MLP, "{response}", "{context}", input_absent("prompt"), &a_text,
	     STATUS_OK, ""},
	    {"hash:4", ROUTER_STATIC, "{response}", "{context}{prompt}", input_absent("prompt"),
	     &a_text, STATUS_OK, ""},
	    {"hash:4", ROUTER_STATIC, "{prompt} {response}", "{prompt}", input_absent("prompt"),
	     &a_text, STATUS_MISSING_FIELD, "/prompt"},
	    {"hash:4", ROUTER_STATIC, "{prompt} {response}", "{prompt}", input_absent("prompt"),
	     &a_vector, STATUS_OK, ""},
	    {"hash:4", ROUTER_LINEAR, "{prompt} {response}", "{prompt}",
	     input_vector(vector_a, "prompt"), &a_text, STATUS_INVALID_TYPE, "/prompt"},
	    {"hash:4", ROUTER_LINEAR, "{prompt} {response}", "{prompt}",
	     input_vector(vector_a, "prompt"), &a_vector, STATUS_OK, ""},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct score_item item = {.question = {"", cases[i].prompt, cases[i].response, 1}};
		struct err err = {0};
		enum status got;

		served = served_open(cases[i].spec, cases[i].kind);
		served_set_templates(served, cases[i].phi, cases[i].psi);
		got = score(&item, 1, &err);
		ck_assert_msg(got == cases[i].want, "case %zu: %s", i, err.msg);
		ck_assert_msg(strcmp(err.param, cases[i].param) == 0, "case %zu: %s", i, err.param);
		served_close(served);
	}
	served = NULL;
}
END_TEST

START_TEST(numbers_that_overflow_are_refused_with_their_place)
{
	struct input responses[] = {input_vector(vector_a, "responses"),
				    input_vector(vector_huge, "responses")};
	struct score_item item = {.question = {"", input_vector(vector_a, "prompt"), responses, 2}};
	struct err err = {0};

	served = served_open("none:4", ROUTER_LINEAR);
	responses[1].place.index = 1;
	ck_assert_int_eq(score(&item, 1, &err), STATUS_NOT_FINITE);
	ck_assert_str_eq(err.param, "/responses/1");
	item.question.prompt = input_vector(vector_huge, "prompt");
	item.question.n_responses = 1;
	for (size_t i = 0; i < served->model.router.n_params; i++)
		served->model.router.params[i] = 8;
	served_model_unpack(served);
	ck_assert_int_eq(served_model_pack(served, packed_kind_best(), &err), STATUS_OK);
	ck_assert_int_eq(score(&item, 1, &err), STATUS_NOT_FINITE);
	ck_assert_str_eq(err.param, "/prompt");
}
END_TEST

START_TEST(result_that_is_not_finite_is_our_fault)
{
	struct input responses[2];
	struct score_item item = pair_item("ada", "", responses);
	struct err err = {0};

	served = served_open("none:4", ROUTER_STATIC);
	fake.known_user = "ada";
	fake.bias[1] = NAN;
	ck_assert_int_eq(score(&item, 1, &err), STATUS_INTERNAL);
}
END_TEST

START_TEST(fault_of_the_store_is_passed_on)
{
	struct input responses[2];
	struct score_item item = pair_item("ada", "", responses);
	struct err err = {0};

	served = served_open("none:4", ROUTER_STATIC);
	fake.fails = STATUS_STATE_BUSY;
	ck_assert_int_eq(score(&item, 1, &err), STATUS_STATE_BUSY);
}
END_TEST

static TCase *tcase(const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("service");
	TCase *scoring = tcase("service_score");

	tcase_add_test(scoring, score_without_user_is_the_router_alone);
	tcase_add_test(scoring, score_of_a_known_user_adds_the_log_weights);
	tcase_add_test(scoring, state_of_one_item_does_not_leak_into_the_next);
	tcase_add_test(scoring, masked_head_has_no_weight);
	tcase_add_test(scoring, item_scores_the_same_alone_and_among_others);
	tcase_add_test(scoring, vector_stands_for_the_features_of_its_text);
	tcase_add_test(scoring, template_puts_context_and_prompt_into_phi);
	tcase_add_test(scoring, empty_texts_are_texts);
	tcase_add_test(scoring, question_that_the_model_cannot_answer_is_refused);
	tcase_add_test(scoring, numbers_that_overflow_are_refused_with_their_place);
	tcase_add_test(scoring, result_that_is_not_finite_is_our_fault);
	tcase_add_test(scoring, fault_of_the_store_is_passed_on);
	suite_add_tcase(suite, scoring);
	return unit_run(suite);
}
