/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/dense_fixture.h"

#include <check.h>
#include <math.h>

#include "core/base/mem.h"

static void append_random(struct features *f, struct rng *rng)
{
	float x[DENSE_DIM];

	for (size_t d = 0; d < DENSE_DIM; d++)
		x[d] = (float)(rng_normal(rng) / sqrt(DENSE_DIM));
	ck_assert_int_eq(features_append(f, feature_row_dense(x, DENSE_DIM), NULL), STATUS_OK);
}

void dense_pairs(bool sparse, struct dataset *dataset_out)
{
	struct rng rng;

	rng_init(&rng, 5);
	*dataset_out = (struct dataset){.n_pairs = DENSE_PAIRS};
	features_init(&dataset_out->phi, DENSE_DIM, sparse);
	features_init(&dataset_out->psi, DENSE_DIM, sparse);
	dataset_out->chosen = mem_array(DENSE_PAIRS, sizeof(uint32_t));
	dataset_out->rejected = mem_array(DENSE_PAIRS, sizeof(uint32_t));
	dataset_out->prompt = mem_array(DENSE_PAIRS, sizeof(uint32_t));
	dataset_out->user = mem_array(DENSE_PAIRS, sizeof(uint32_t));
	dataset_out->context = mem_array(DENSE_PAIRS, sizeof(uint32_t));
	ck_assert(dataset_out->chosen && dataset_out->rejected && dataset_out->prompt &&
		  dataset_out->user && dataset_out->context);
	for (uint32_t i = 0; i < DENSE_PAIRS; i++) {
		append_random(&dataset_out->phi, &rng);
		append_random(&dataset_out->phi, &rng);
		dataset_out->chosen[i] = 2 * i;
		dataset_out->rejected[i] = 2 * i + 1;
		dataset_out->prompt[i] = i % DENSE_PROMPTS;
		dataset_out->user[i] = DATASET_NONE;
		dataset_out->context[i] = DATASET_NONE;
	}
	for (size_t i = 0; i < DENSE_PROMPTS; i++)
		append_random(&dataset_out->psi, &rng);
}

void dense_model(size_t n_heads, enum router_kind kind, size_t n_hidden, struct model *model_out)
{
	struct encoder *encoder;
	struct rng rng;

	ck_assert_int_eq(encoder_open("none:800", &encoder, NULL), STATUS_OK);
	ck_assert_int_eq(model_init(model_out, n_heads, kind, n_hidden, encoder, NULL), STATUS_OK);
	encoder_close(encoder);
	rng_init(&rng, 6);
	heads_randomize(&model_out->heads, 1, &rng);
	for (size_t i = 0; i < model_out->router.n_params; i++)
		model_out->router.params[i] = (float)rng_normal(&rng);
}
