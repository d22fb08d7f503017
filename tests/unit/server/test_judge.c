/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_judge.c - the same item gets the same answer, bit for bit, whatever else is in the
 * request; and what is in it several times is encoded and multiplied once. Linked so that calls
 * of encoder_encode() and packed_times() pass here.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/math/logmath.h"
#include "server/service.h"
#include "tests/unit/unit.h"

#define DIM	    384
#define MAX_DIM	    3072
#define N_HEADS	    10
#define N_HIDDEN    33
#define MANY_HIDDEN 128
#define N_POOL	    40 /* different prompts and responses */
#define MAX_ITEMS   64

enum status __real_encoder_encode(const struct encoder *encoder, const struct text *texts,
				  size_t n_texts, struct features *out, struct err *err);
enum status __wrap_encoder_encode(const struct encoder *encoder, const struct text *texts,
				  size_t n_texts, struct features *out, struct err *err);
void __real_packed_times(const struct packed *packed, const float *const *x, size_t n, float *out);
void __wrap_packed_times(const struct packed *packed, const float *const *x, size_t n, float *out);

static size_t n_encoded, n_multiplied;

enum status __wrap_encoder_encode(const struct encoder *encoder, const struct text *texts,
				  size_t n_texts, struct features *out, struct err *err)
{
	n_encoded += n_texts;
	return __real_encoder_encode(encoder, texts, n_texts, out, err);
}

static const char *const specs[] = {"none:384", "hash:384"};

static struct served_model served;
static struct arena arena;
static struct rng rng;
static char texts[N_POOL][200];
static float vectors[N_POOL][MAX_DIM];
static struct score_item items[MAX_ITEMS];
static struct input responses[MAX_ITEMS][4];

/* Vectors of the request; a router's second layer reads none. */
void __wrap_packed_times(const struct packed *packed, const float *const *x, size_t n, float *out)
{
	n_multiplied += packed == &served.second ? 0 : n;
	__real_packed_times(packed, x, n, out);
}

static void make_pool(void)
{
	for (size_t i = 0; i < N_POOL; i++) {
		size_t len = 0;

		while (len < 120)
			len +=
			    (size_t)sprintf(texts[i] + len, "w%u ", (unsigned)rng_below(&rng, 99));
		for (size_t d = 0; d < MAX_DIM; d++)
			vectors[i][d] = (float)rng_normal(&rng);
	}
}

static void open_model_of(const char *spec, size_t n_hidden)
{
	rng_init(&rng, 3);
	make_pool();
	served = (struct served_model){0};
	ck_assert_int_eq(encoder_open(spec, &served.encoder, NULL), STATUS_OK);
	ck_assert_int_eq(
	    model_init(&served.model, N_HEADS, ROUTER_MLP, n_hidden, served.encoder, NULL),
	    STATUS_OK);
	heads_randomize(&served.model.heads, 0.3, &rng);
	router_randomize(&served.model.router, &rng);
	ck_assert_int_eq(served_model_pack(&served, packed_kind_best(), NULL), STATUS_OK);
}

static void open_model(const char *spec)
{
	open_model_of(spec, N_HIDDEN);
}

static void close_model(void)
{
	arena_free(&arena);
	served_model_unpack(&served);
	model_free(&served.model);
	encoder_close(served.encoder);
}

static struct input pool_input(size_t i)
{
	if (encoder_reads_text(served.encoder))
		return (struct input){.kind = INPUT_TEXT, .text = {texts[i], strlen(texts[i])}};
	return (struct input){.kind = INPUT_VECTOR,
			      .vector = feature_row_dense(vectors[i], encoder_dim(served.encoder))};
}

/* Prompt and responses by their numbers in the pool. */
static void ask(size_t at, const char *context, size_t prompt, const size_t *which, size_t n)
{
	for (size_t i = 0; i < n; i++)
		responses[at][i] = pool_input(which[i]);
	items[at] = (struct score_item){
	    .question = {context, pool_input(prompt), responses[at], n},
	};
}

static void score(size_t begin, size_t n)
{
	static const struct service service; /* nobody's: the store is not asked */
	struct score_request request = {.items = items + begin, .n_items = n};
	struct err err = {0};

	n_encoded = n_multiplied = 0;
	ck_assert_msg(service_score(&service, &served, &request, &arena, &err) == STATUS_OK, "%s",
		      err.msg);
}

static void ask_random(size_t at)
{
	static const char *const contexts[] = {"", "terse", "kind"};
	size_t which[4];

	for (size_t i = 0; i < 4; i++)
		which[i] = rng_below(&rng, N_POOL);
	ask(at, contexts[rng_below(&rng, 3)], rng_below(&rng, N_POOL / 4), which,
	    1 + rng_below(&rng, 4));
}

START_TEST(answer_does_not_depend_on_the_others_by_one_bit)
{
	struct score_item alone[MAX_ITEMS];

	open_model(specs[_i]);
	for (size_t i = 0; i < MAX_ITEMS; i++) {
		ask_random(i);
		score(i, 1);
		alone[i] = items[i];
	}
	for (size_t n = 1; n <= MAX_ITEMS; n++) {
		size_t begin = (7 * n) % (MAX_ITEMS - n + 1);

		score(begin, n);
		for (size_t i = begin; i < begin + n; i++) {
			ck_assert_mem_eq(items[i].rewards, alone[i].rewards,
					 items[i].question.n_responses * sizeof(double));
			ck_assert_mem_eq(items[i].weights, alone[i].weights,
					 N_HEADS * sizeof(double));
			ck_assert_mem_eq(&items[i].preference, &alone[i].preference,
					 sizeof(double));
		}
	}
	close_model();
}
END_TEST

/* Texts are encoded, vectors multiplied: of either, so many that were not there before. */
static void assert_work(size_t n_contents)
{
	if (encoder_reads_text(served.encoder))
		ck_assert_uint_eq(n_encoded, n_contents);
	else
		ck_assert_uint_eq(n_multiplied, n_contents);
}

START_TEST(repeated_prompts_and_responses_are_worked_on_once)
{
	open_model(specs[_i]);
	/* one prompt, of which every item has other responses; one of them is always the same */
	for (size_t i = 0; i < 16; i++)
		ask(i, "", 0, (size_t[]){10 + i, 5}, 2);
	score(0, 1);
	assert_work(3);
	score(0, 16);
	assert_work(1 + 17);
	/* the same four prompts and responses in turns */
	for (size_t i = 0; i < MAX_ITEMS; i++)
		ask(i, "", i % 4, (size_t[]){4 + i % 4, 4 + (i + 1) % 4, 4 + i % 4}, 3);
	score(0, MAX_ITEMS);
	assert_work(4 + 4);
	/* a prompt is another response, and a response another prompt */
	ask(0, "", 7, (size_t[]){7, 7, 7, 7}, 4);
	score(0, 1);
	assert_work(2);
	close_model();
}
END_TEST

START_TEST(prompt_of_another_context_is_another_text)
{
	open_model("hash:384");
	ask(0, "a", 0, (size_t[]){1}, 1);
	ask(1, "b", 0, (size_t[]){1}, 1);
	ask(2, "a", 0, (size_t[]){1}, 1);
	score(0, 3);
	ck_assert_uint_eq(n_encoded, 2 + 1);
	ck_assert_mem_eq(items[0].weights, items[2].weights, N_HEADS * sizeof(double));
	ck_assert_mem_ne(items[0].weights, items[1].weights, N_HEADS * sizeof(double));
	close_model();
}
END_TEST

START_TEST(response_of_another_prompt_is_another_text_if_they_are_read_together)
{
	open_model("hash:384");
	ck_assert_int_eq(
	    model_set_templates(&served.model, "{prompt} {response}", "{prompt}", NULL), STATUS_OK);
	ask(0, "a", 0, (size_t[]){9}, 1);
	ask(1, "b", 0, (size_t[]){9}, 1);
	ask(2, "a", 1, (size_t[]){9}, 1);
	score(0, 3);
	ck_assert_uint_eq(n_encoded, 2 + 2);
	ck_assert_mem_eq(items[0].rewards, items[1].rewards, sizeof(double));
	ck_assert_mem_ne(items[0].rewards, items[2].rewards, sizeof(double));
	close_model();
}
END_TEST

/* One message is the same text whatever its role is; the template tells them apart. */
START_TEST(messages_of_another_role_are_another_prompt)
{
	static const struct chat_message user[] = {{{"user", 4}, {"w1 w2", 5}}};
	static const struct chat_message system[] = {{{"system", 6}, {"w1 w2", 5}}};

	open_model("hash:384");
	ck_assert_int_eq(model_set_templates(&served.model, "{response}",
					     "{messages}{role}: {content} {/messages}", NULL),
			 STATUS_OK);
	for (size_t i = 0; i < 3; i++) {
		ask(i, "a", 0, (size_t[]){9}, 1);
		items[i].question.prompt.text = (struct text){"w1 w2", 5};
		items[i].question.prompt.chat = (struct chat){i == 1 ? system : user, 1};
	}
	score(0, 3);
	ck_assert_uint_eq(n_encoded, 2 + 1);
	ck_assert_mem_eq(items[0].weights, items[2].weights, N_HEADS * sizeof(double));
	ck_assert_mem_ne(items[0].weights, items[1].weights, N_HEADS * sizeof(double));
	close_model();
}
END_TEST

/* The router's first layer may be kept in half precision. */
START_TEST(weights_are_those_of_single_precision_to_a_thousandth)
{
	static const double scales[] = {0.01, 0.1, 0.3};
	struct router *router = &served.model.router;
	float first[MANY_HIDDEN], logits[N_HEADS];
	double want[N_HEADS], most = 0;

	open_model_of("none:3072", MANY_HIDDEN);
	for (size_t s = 0; s < LENGTH(scales); s++) {
		for (size_t i = 0; i < (size_t)MANY_HIDDEN * N_HEADS; i++)
			router->weight2[i] = (float)(scales[s] * 2 * rng_normal(&rng));
		served_model_unpack(&served);
		ck_assert_int_eq(served_model_pack(&served, packed_kind_best(), NULL), STATUS_OK);
		for (size_t i = 0; i < N_POOL; i++) {
			ask(0, "", i, (size_t[]){i}, 1);
			score(0, 1);
			router_logits(router, feature_row_dense(vectors[i], MAX_DIM), first,
				      logits);
			for (size_t k = 0; k < N_HEADS; k++)
				want[k] = logits[k];
			log_softmax(want, N_HEADS);
			for (size_t k = 0; k < N_HEADS; k++)
				most = fmax(most, fabs(items[0].weights[k] - exp(want[k])));
		}
	}
	ck_assert_int_eq(served.first.precision,
			 packed_kind_halves(packed_kind_best()) ? PACKED_HALF : PACKED_SINGLE);
	ck_assert_msg(most < 1e-3, "weights differ by %g", most);
	close_model();
}
END_TEST

/* Prompts are multiplied several at a time, but each fault is its own item's. */
START_TEST(overflow_is_told_where_it_is)
{
	static const struct service service;
	static float huge[MAX_DIM];
	struct score_request request = {.items = items, .n_items = MAX_ITEMS / 4};
	char want[PLACE_TEXT_MAX];
	struct err err = {0};

	open_model("none:384");
	for (size_t d = 0; d < MAX_DIM; d++)
		huge[d] = FLT_MAX;
	for (size_t bad = 0; bad < request.n_items; bad++) {
		struct input *fault = bad % 2 ? &items[bad].question.prompt : &responses[bad][1];

		for (size_t i = 0; i < request.n_items; i++)
			ask(i, "", i % 3, (size_t[]){i, i + 1}, 2);
		fault->vector.value = huge;
		fault->place = place_field(bad, "here");
		ck_assert_int_eq(service_score(&service, &served, &request, &arena, &err),
				 STATUS_NOT_FINITE);
		ck_assert_str_eq(err.param, place_text(fault->place, want));
	}
	close_model();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("judge");
	TCase *tcase = tcase_create("judge");

	tcase_add_loop_test(tcase, answer_does_not_depend_on_the_others_by_one_bit, 0,
			    LENGTH(specs));
	tcase_add_loop_test(tcase, repeated_prompts_and_responses_are_worked_on_once, 0,
			    LENGTH(specs));
	tcase_add_test(tcase, overflow_is_told_where_it_is);
	tcase_add_test(tcase, prompt_of_another_context_is_another_text);
	tcase_add_test(tcase, response_of_another_prompt_is_another_text_if_they_are_read_together);
	tcase_add_test(tcase, messages_of_another_role_are_another_prompt);
	tcase_add_test(tcase, weights_are_those_of_single_precision_to_a_thousandth);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
