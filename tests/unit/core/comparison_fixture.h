/* SPDX-License-Identifier: Apache-2.0 */
/* comparison_fixture.h - comparisons made by hand, of any size and with any names. */
#ifndef MICRO_TESTS_COMPARISON_FIXTURE_H
#define MICRO_TESTS_COMPARISON_FIXTURE_H

#include "core/compare/comparison.h"

#define FIXTURE_MAX_METHODS  10
#define FIXTURE_MAX_CONTEXTS 40
#define FIXTURE_MAX_HEADS    64
#define FIXTURE_MAX_PROMPTS  16
#define FIXTURE_MAX_POINTS   8
#define FIXTURE_NAME	     64

struct fixture_size {
	size_t n_methods, n_contexts, n_heads, n_prompts, n_seeds;
};

/* Owns everything that its comparison points to; must stay where it is. */
struct comparison_fixture {
	struct comparison comparison;
	struct compare_result results[FIXTURE_MAX_METHODS];
	struct compare_score shots[FIXTURE_MAX_METHODS][FIXTURE_MAX_POINTS];
	struct compare_score contexts[FIXTURE_MAX_METHODS][FIXTURE_MAX_CONTEXTS];
	char *context_names[FIXTURE_MAX_CONTEXTS];
	char *head_names[FIXTURE_MAX_HEADS];
	char *prompts[FIXTURE_MAX_PROMPTS];
	char name_bytes[FIXTURE_MAX_HEADS][FIXTURE_NAME];
	double weights[FIXTURE_MAX_PROMPTS * FIXTURE_MAX_HEADS];
	double accuracies[FIXTURE_MAX_CONTEXTS * FIXTURE_MAX_HEADS];
	size_t curve_x[2][FIXTURE_MAX_POINTS];
	struct compare_score curve_y[2][FIXTURE_MAX_POINTS];
};

/** fixture_make(fixture, size): plausible numbers, the same at each call: the last of the first
 * eight methods is the best, one seed has no spread; sections of size 0 are left out. */
void fixture_make(struct comparison_fixture *fixture, const struct fixture_size *size);

/** fixture_name_all(fixture, name): name, kept, instead of every name in it. */
void fixture_name_all(struct comparison_fixture *fixture, char *name);

#endif
