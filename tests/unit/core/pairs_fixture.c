/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/pairs_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

static void require(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "fixture: %s\n", what);
		abort();
	}
}

static uint32_t append_random(struct features *f, struct rng *rng, double *taste_out)
{
	float x[PAIRS_DIM];

	for (size_t d = 0; d < PAIRS_DIM; d++)
		x[d] = (float)rng_normal(rng);
	*taste_out = 4 * (double)x[0];
	require(features_append(f, feature_row_dense(x, PAIRS_DIM), NULL) == STATUS_OK, "append");
	return (uint32_t)f->n_rows - 1;
}

static void add_pair(struct dataset *data, struct rng *rng, size_t user, size_t n_tastes,
		     bool named)
{
	double taste_a, taste_b;
	uint32_t a = append_random(&data->phi, rng, &taste_a);
	uint32_t b = append_random(&data->phi, rng, &taste_b);
	bool likes_a = (taste_a > taste_b) == (user % n_tastes == 0);
	size_t i = data->n_pairs++;

	data->chosen[i] = likes_a ? a : b;
	data->rejected[i] = likes_a ? b : a;
	data->prompt[i] = 0;
	data->user[i] = named ? (uint32_t)user : DATASET_NONE;
	data->context[i] = DATASET_NONE;
}

static void make_pairs(size_t n_users, size_t pairs_per_user, size_t n_tastes, uint64_t seed,
		       struct dataset *dataset_out)
{
	bool named = pairs_per_user > 0;
	size_t per_user = named ? pairs_per_user : 1;
	size_t n = n_users * per_user;
	float prompt[PAIRS_DIM] = {1, 0, 0, 0};
	struct rng rng;

	rng_init(&rng, seed);
	*dataset_out = (struct dataset){.n_users = named ? n_users : 0};
	features_init(&dataset_out->phi, PAIRS_DIM, false);
	features_init(&dataset_out->psi, PAIRS_DIM, false);
	dataset_out->chosen = mem_array(n, sizeof(uint32_t));
	dataset_out->rejected = mem_array(n, sizeof(uint32_t));
	dataset_out->prompt = mem_array(n, sizeof(uint32_t));
	dataset_out->user = mem_array(n, sizeof(uint32_t));
	dataset_out->context = mem_array(n, sizeof(uint32_t));
	dataset_out->user_names = mem_array(dataset_out->n_users, sizeof(char *));
	require(dataset_out->chosen && dataset_out->rejected && dataset_out->prompt &&
		    dataset_out->user && dataset_out->context && dataset_out->user_names,
		"memory");
	require(features_append(&dataset_out->psi, feature_row_dense(prompt, PAIRS_DIM), NULL) ==
		    STATUS_OK,
		"prompt");
	for (size_t u = 0; u < dataset_out->n_users; u++) {
		char name[32];
		int len = snprintf(name, sizeof(name), "user %zu", u);

		dataset_out->user_names[u] = mem_string(name, (size_t)len);
	}
	for (size_t i = 0; i < n; i++)
		add_pair(dataset_out, &rng, i / per_user, n_tastes, named);
}

void pairs_two_tastes(size_t n_users, size_t pairs_per_user, uint64_t seed,
		      struct dataset *dataset_out)
{
	make_pairs(n_users, pairs_per_user, 2, seed, dataset_out);
}

void pairs_one_taste(size_t n_users, size_t pairs_per_user, uint64_t seed,
		     struct dataset *dataset_out)
{
	make_pairs(n_users, pairs_per_user, 1, seed, dataset_out);
}

void pairs_set_contexts(struct dataset *dataset)
{
	const float odd[PAIRS_DIM] = {0, 1, 0, 0};

	require(features_append(&dataset->psi, feature_row_dense(odd, PAIRS_DIM), NULL) ==
		    STATUS_OK,
		"prompt");
	dataset->context_names = mem_array(2, sizeof(char *));
	require(dataset->context_names != NULL, "memory");
	dataset->context_names[0] = mem_string("even", 4);
	dataset->context_names[1] = mem_string("odd", 3);
	dataset->n_contexts = 2;
	for (size_t i = 0; i < dataset->n_pairs; i++) {
		uint32_t user = dataset->user[i];

		dataset->context[i] = (user == DATASET_NONE ? (uint32_t)i : user) % 2;
		dataset->prompt[i] = dataset->context[i];
	}
}

void pairs_model(size_t n_heads, enum router_kind kind, size_t n_hidden, struct model *model_out)
{
	struct encoder *encoder;

	require(encoder_open("none:4", &encoder, NULL) == STATUS_OK, "encoder");
	require(model_init(model_out, n_heads, kind, n_hidden, encoder, NULL) == STATUS_OK,
		"model");
	encoder_close(encoder);
}

void pairs_opposed_model(enum router_kind kind, size_t n_hidden, struct model *model_out)
{
	struct rng rng;

	pairs_model(3, kind, n_hidden, model_out);
	model_out->heads.weight[0] = 4;
	model_out->heads.weight[1] = -4;
	rng_init(&rng, 7);
	router_randomize(&model_out->router, &rng);
	model_update_id(model_out);
}
