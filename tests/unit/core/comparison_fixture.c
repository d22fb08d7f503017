/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/comparison_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"

#define N_SHOTS 5

static char train[] = "polis/train.jsonl.gz", test[] = "polis/test.jsonl.gz";
static char route[] = "polis/context.train.jsonl.gz", context[] = "polis/context.test.jsonl.gz";
static char encoder[] = "hash:2048:2", libraries[] = "OpenBLAS 0.3.21, glibc 2.36";

static const struct {
	char *name, *description, *objective, *adapt;
	double first, last; /* accuracies at 0 and 8 feedbacks */
} methods[FIXTURE_MAX_METHODS] = {
    {"bt", "One reward for everybody, the Bradley\u2013Terry model.", "bt", "none", 0.768, 0.768},
    {"static", "A mixture with the same weights for every prompt.", "static", "hedge", 0.766,
     0.779},
    {"micro", "The paper's mixture: heads and router from independent pairs.", "micro", "hedge",
     0.769, 0.777},
    {"hyre", "An ensemble over fixed random priors, weighted by accuracy.", "ensemble", "hyre",
     0.767, 0.7735},
    {"drm", "Principal components of the preference differences as heads.", "drm", "hedge", 0.741,
     0.7905},
    {"lore", "Panel's heads; simplex weights fitted to the user by gradient.", "panel", "lore",
     0.772, 0.824},
    {"attributes", "One supervised head for each labelled attribute.", "attributes", "hedge", 0.761,
     0.802},
    {"panel", "All pairs of a user share one latent taste.", "panel", "hedge", 0.773, 0.845},
    {"panel, no router", "The same, with weights that no prompt changes.", "panel", "hedge", 0.77,
     0.839},
    {"micro, no feedback", "The paper's mixture, by its router alone.", "micro", "none", 0.769,
     0.769},
};

static char *contexts[] = {"religion",	  "immigration",  "taxes",	    "public transport",
			   "housing",	  "climate",	  "schools",	    "health care",
			   "gun control", "minimum wage", "privacy",	    "free speech",
			   "agriculture", "energy",	  "foreign policy", "justice"};

static char *prompts[] = {
    "How should the city pay for buses that run at night?",
    ("Explain to a ten-year-old why some people want fewer rules for farms and others want many "
     "more of them, and do not take a side."),
    "Write a toast for my sister's wedding",
    "Is nuclear power part of the answer?",
    "Summarize the arguments for and against rent control in three sentences",
};

static struct compare_score score(struct rng *rng, double accuracy, size_t n_seeds)
{
	double noise = n_seeds > 1 ? 0.002 + 0.004 * rng_uniform(rng) : 0;

	return (struct compare_score){.accuracy = {accuracy, noise},
				      .nll = {0.37 + 1.5 * (0.845 - accuracy), 2 * noise}};
}

static void make_names(struct comparison_fixture *fixture, const struct fixture_size *size)
{
	for (size_t c = 0; c < size->n_contexts; c++)
		fixture->context_names[c] = contexts[c % (sizeof(contexts) / sizeof(contexts[0]))];
	for (size_t p = 0; p < size->n_prompts; p++)
		fixture->prompts[p] = prompts[p % (sizeof(prompts) / sizeof(prompts[0]))];
	for (size_t k = 0; k < size->n_heads; k++) {
		snprintf(fixture->name_bytes[k], FIXTURE_NAME, "head %zu", k);
		fixture->head_names[k] = fixture->name_bytes[k];
	}
}

static void make_result(struct comparison_fixture *fixture, size_t r,
			const struct fixture_size *size, struct rng *rng)
{
	struct compare_result *result = &fixture->results[r];
	double mean = 0;

	*result = (struct compare_result){
	    .name = methods[r].name,
	    .description = methods[r].description,
	    .objective = methods[r].objective,
	    .adapt = methods[r].adapt,
	    .n_heads = r == 0 ? 1 : 16,
	    .seconds = {2.5 + 4 * (double)r, 0.3},
	    .overall = score(rng, methods[r].first, size->n_seeds),
	    .shots = fixture->shots[r],
	    .contexts = size->n_contexts > 0 ? fixture->contexts[r] : NULL,
	};
	for (size_t j = 0; j < N_SHOTS; j++) {
		double m = (double)fixture->comparison.shots[j];
		double part = log2(1 + m) / log2(9);

		result->shots[j] =
		    score(rng, methods[r].first + part * (methods[r].last - methods[r].first),
			  size->n_seeds);
	}
	for (size_t c = 0; c < size->n_contexts; c++) {
		double accuracy = methods[r].last - 0.09 + 0.15 * (double)(c * 7 % 16) / 16 +
				  0.03 * rng_uniform(rng);

		fixture->contexts[r][c] = score(rng, accuracy, size->n_seeds);
		mean += accuracy / (double)size->n_contexts;
	}
	if (size->n_contexts > 0)
		result->context_mean = score(rng, mean, size->n_seeds);
}

static void make_weights(struct comparison_fixture *fixture, const struct fixture_size *size,
			 struct rng *rng)
{
	for (size_t p = 0; p < size->n_prompts; p++) {
		double *row = &fixture->weights[p * size->n_heads], sum = 0;

		for (size_t k = 0; k < size->n_heads; k++)
			sum += row[k] = exp(4 * rng_uniform(rng));
		for (size_t k = 0; k < size->n_heads; k++)
			row[k] /= sum;
	}
	for (size_t i = 0; i < size->n_contexts * size->n_heads; i++)
		fixture->accuracies[i] = 0.48 + 0.4 * rng_uniform(rng) * rng_uniform(rng);
}

static struct compare_curve make_curve(struct comparison_fixture *fixture, size_t which,
				       size_t first_x, size_t n_seeds, struct rng *rng)
{
	for (size_t i = 0; i < FIXTURE_MAX_POINTS; i++) {
		fixture->curve_x[which][i] = first_x << i;
		fixture->curve_y[which][i] =
		    score(rng, 0.85 - 0.09 * exp(-0.6 * (double)i), n_seeds);
	}
	return (struct compare_curve){methods[7].name, FIXTURE_MAX_POINTS, fixture->curve_x[which],
				      fixture->curve_y[which]};
}

void fixture_make(struct comparison_fixture *fixture, const struct fixture_size *size)
{
	static const size_t shots[N_SHOTS] = {0, 1, 2, 4, 8};
	struct comparison *comparison = &fixture->comparison;
	struct rng rng;

	rng_init(&rng, 1);
	*fixture = (struct comparison_fixture){0};
	make_names(fixture, size);
	*comparison = (struct comparison){
	    .train_path = train,
	    .test_path = test,
	    .route_path = size->n_contexts > 0 ? route : NULL,
	    .context_path = size->n_contexts > 0 ? context : NULL,
	    .n_train_pairs = 48213,
	    .n_train_users = 1204,
	    .n_test_pairs = 12077,
	    .n_test_users = 301,
	    .encoder_spec = encoder,
	    .libraries = libraries,
	    .n_heads = 16,
	    .first_seed = 1,
	    .n_seeds = size->n_seeds,
	    .n_shots = N_SHOTS,
	    .n_contexts = size->n_contexts,
	    .context_names = fixture->context_names,
	    .n_results = size->n_methods,
	    .results = fixture->results,
	};
	memset(comparison->train_sha256, 'a', DIGEST_HEX_LEN);
	memset(comparison->test_sha256, 'b', DIGEST_HEX_LEN);
	for (size_t j = 0; j < N_SHOTS; j++)
		comparison->shots[j] = shots[j];
	for (size_t r = 0; r < size->n_methods; r++)
		make_result(fixture, r, size, &rng);
	make_weights(fixture, size, &rng);
	if (size->n_heads > 0) {
		comparison->heads_curve = make_curve(fixture, 0, 1, size->n_seeds, &rng);
		comparison->budget_curve = make_curve(fixture, 1, 16, size->n_seeds, &rng);
		comparison->router_map =
		    (struct compare_map){methods[7].name,  size->n_prompts,	size->n_heads,
					 fixture->prompts, fixture->head_names, fixture->weights};
		comparison->head_map = (struct compare_map){
		    methods[7].name,	    size->n_contexts,	 size->n_heads,
		    fixture->context_names, fixture->head_names, fixture->accuracies};
	}
}

static void name_list(char **names, size_t n, char *name)
{
	for (size_t i = 0; i < n; i++)
		names[i] = name;
}

void fixture_name_all(struct comparison_fixture *fixture, char *name)
{
	struct comparison *comparison = &fixture->comparison;

	comparison->train_path = comparison->test_path = comparison->encoder_spec = name;
	comparison->libraries = name;
	comparison->route_path = comparison->context_path = name;
	for (size_t r = 0; r < comparison->n_results; r++) {
		struct compare_result *result = &comparison->results[r];

		result->name = result->description = result->objective = result->adapt = name;
	}
	name_list(fixture->context_names, comparison->n_contexts, name);
	name_list(fixture->head_names, comparison->head_map.n_columns, name);
	name_list(fixture->prompts, comparison->router_map.n_rows, name);
	comparison->heads_curve.method = comparison->budget_curve.method = name;
	comparison->router_map.method = comparison->head_map.method = name;
}
