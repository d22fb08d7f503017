/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/core/draft_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/core/folder_fixture.h"

#define K DRAFT_HEADS
#define D DRAFT_DIM
#define H DRAFT_HIDDEN

const float draft_values[64] = {
    -3, -2.75, -2.5, -2.25, -2, -1.75, -1.5, -1.25, -1, -0.75, -0.5, -0.25, 0,	0.25,  0.5,  0.75,
    1,	1.25,  1.5,  1.75,  2,	2.25,  2.5,  2.75,  3,	3.25,  3.5,  3.75,  4,	4.25,  4.5,  4.75,
    5,	5.25,  5.5,  5.75,  6,	6.25,  6.5,  6.75,  7,	7.25,  7.5,  7.75,  8,	8.25,  8.5,  8.75,
    9,	9.25,  9.5,  9.75,  10, 10.25, 10.5, 10.75, 11, 11.25, 11.5, 11.75, 12, 12.25, 12.5, 12.75,
};

static const struct tensor_spec heads_specs[] = {
    {"heads.weight", 2, {K, D}, draft_values},
    {"heads.center", 1, {K}, draft_values + 8},
};

static const struct tensor_spec router_specs[N_ROUTER_KINDS][4] = {
    [ROUTER_STATIC] = {{"router.bias", 1, {K}, draft_values + 10}},
    [ROUTER_LINEAR] = {{"router.weight", 2, {K, D}, draft_values + 20},
		       {"router.bias", 1, {K}, draft_values + 10}},
    [ROUTER_MLP] = {{"router.0.weight", 2, {H, D}, draft_values + 30},
		    {"router.0.bias", 1, {H}, draft_values + 12},
		    {"router.2.weight", 2, {K, H}, draft_values + 42},
		    {"router.2.bias", 1, {K}, draft_values + 10}},
};

static const struct metadata_spec good_metadata[] = {
    {"format", "micro/1"},
    {"encoder", "none:4"},
    {"encoder.fingerprint", "AAAAAAAAAAAAAAAAAAAAAA=="},
    {"template.phi", "{prompt} {response}"},
    {"template.psi", "{context}"},
    {"heads.labels", "[\"terse\",\"warm\"]"},
    {"heads.mask", "[false,true]"},
    {"train.seed", "7"},
    {"train.objective", "panel"},
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

void draft_start(enum router_kind kind, struct draft *draft)
{
	*draft = (struct draft){0};
	for (size_t i = 0; i < N(heads_specs); i++)
		draft->tensors[draft->n_tensors++] = heads_specs[i];
	for (size_t i = 0; i < N(router_specs[kind]) && router_specs[kind][i].name != NULL; i++)
		draft->tensors[draft->n_tensors++] = router_specs[kind][i];
	for (size_t i = 0; i < N(good_metadata); i++)
		draft->metadata[draft->n_metadata++] = good_metadata[i];
}

static struct tensor_spec *find_tensor(struct draft *draft, const char *name)
{
	for (size_t i = 0; i < draft->n_tensors; i++) {
		if (strcmp(draft->tensors[i].name, name) == 0)
			return &draft->tensors[i];
	}
	return NULL;
}

void draft_put_tensor(struct draft *draft, struct tensor_spec tensor)
{
	struct tensor_spec *old = find_tensor(draft, tensor.name);

	if (tensor.data == NULL)
		*old = draft->tensors[--draft->n_tensors];
	else if (old != NULL)
		*old = tensor;
	else
		draft->tensors[draft->n_tensors++] = tensor;
}

static struct metadata_spec *find_metadata(struct draft *draft, const char *key)
{
	for (size_t i = 0; i < draft->n_metadata; i++) {
		if (strcmp(draft->metadata[i].key, key) == 0)
			return &draft->metadata[i];
	}
	return NULL;
}

void draft_put_metadata(struct draft *draft, const char *key, const char *value)
{
	struct metadata_spec *old = find_metadata(draft, key);

	if (value == NULL)
		*old = draft->metadata[--draft->n_metadata];
	else if (old != NULL)
		old->value = value;
	else
		draft->metadata[draft->n_metadata++] = (struct metadata_spec){key, value};
}

const char *draft_write(const struct draft *draft)
{
	const char *path = folder_path("model.safetensors");
	struct err err;

	if (safetensors_write(path, draft->tensors, draft->n_tensors, draft->metadata,
			      draft->n_metadata, &err) != STATUS_OK) {
		fprintf(stderr, "draft: %s\n", err.msg);
		abort();
	}
	return path;
}
