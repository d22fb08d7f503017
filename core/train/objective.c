/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/objective.h"

#include <assert.h>
#include <math.h>

/* In the order of enum objective. */
static const struct objective_spec specs[] = {
    {
	.name = "auto",
	.summary = "panel if a user has several pairs, micro otherwise",
	.n_heads = 16,
	.router = ROUTER_MLP,
	.epochs = 16,
	.batch = 256,
	.learning_rate = 0.01,
	.weight_decay = 0.01,
	.init_scale = NAN,
    },
    {
	.name = "bt",
	.summary = "one Bradley-Terry head for everyone",
	.ops = &stage1_objective,
	.static_router = true,
	.only_heads = 1,
	.n_heads = 1,
	.router = ROUTER_STATIC,
	.epochs = 16,
	.batch = 256,
	.learning_rate = 0.01,
	.weight_decay = 0.01,
	.init_scale = NAN,
    },
    {
	.name = "static",
	.summary = "mixture with fixed weights; each user has one head (MaxMin-RLHF)",
	.ops = &static_objective,
	.static_router = true,
	.n_heads = 16,
	.router = ROUTER_STATIC,
	.epochs = 12,
	.batch = 512,
	.learning_rate = 0.02,
	.weight_decay = 0.01,
	.init_scale = 0.1,
    },
    {
	.name = "ensemble",
	.summary = "heads around fixed random priors, each trained on all pairs (HyRe)",
	.ops = &ensemble_objective,
	.static_router = true,
	.n_heads = 16,
	.router = ROUTER_STATIC,
	.epochs = 12,
	.batch = 512,
	.learning_rate = 0.01,
	.weight_decay = 0,
	.init_scale = 3, /* below, the priors drown in what all learn; above, they blur it */
    },
    {
	.name = "drm",
	.summary = "principal components of the differences, no training (DRM)",
	.ops = &drm_objective,
	.static_router = true,
	.n_heads = 16,
	.router = ROUTER_STATIC,
	.epochs = 0,
	.batch = 512,
	.learning_rate = 0.02,
	.weight_decay = 0.01,
	.init_scale = NAN,
    },
    {
	.name = "attributes",
	.summary = "a head for each context, as the pairs are labelled (ARMO)",
	.ops = &attributes_objective,
	.needs = NEEDS_CONTEXTS,
	.n_heads = 0,
	.router = ROUTER_LINEAR,
	.epochs = 16,
	.batch = 32,
	.learning_rate = 0.01,
	.weight_decay = 0.01,
	.init_scale = NAN,
    },
    {
	.name = "lore",
	.summary = "basis of rewards and a mixture of it for each user (LoRe)",
	.ops = &lore_objective,
	.needs = NEEDS_USERS,
	.static_router = true,
	.n_heads = 16,
	.router = ROUTER_STATIC,
	.epochs = 20,
	.batch = 512,
	.learning_rate = 0.01,
	.weight_decay = 0.01,
	.init_scale = NAN,
    },
    {
	.name = "micro",
	.summary = "each pair by itself, router and heads together (MiCRo, stage 1)",
	.ops = &stage1_objective,
	.n_heads = 16,
	.router = ROUTER_MLP,
	.epochs = 16,
	.batch = 256,
	.learning_rate = 0.01,
	.weight_decay = 0.01,
	.init_scale = NAN,
    },
    {
	.name = "panel",
	.summary = "all pairs of a user share one hidden head (ours)",
	.ops = &panel_objective,
	.needs = NEEDS_USERS,
	.n_heads = 16,
	.router = ROUTER_LINEAR, /* users tell the heads apart: it only has to be a prior */
	.epochs = 12,
	.batch = 512,
	.learning_rate = 0.02,
	.weight_decay = 0.01,
	.init_scale = NAN,
    },
};

const struct objective_spec *objective_spec(enum objective objective)
{
	static_assert(sizeof(specs) / sizeof(specs[0]) == N_OBJECTIVES, "a line for each");
	assert((unsigned)objective < N_OBJECTIVES);
	return &specs[objective];
}

const char *objective_name(enum objective objective)
{
	return objective_spec(objective)->name;
}

const char *objective_summary(enum objective objective)
{
	return objective_spec(objective)->summary;
}

void train_defaults(enum objective objective, struct train_options *options_out)
{
	const struct objective_spec *spec = objective_spec(objective);

	*options_out = (struct train_options){
	    .objective = objective,
	    .n_heads = spec->n_heads,
	    .router = spec->router,
	    .n_hidden = 128,
	    .epochs = spec->epochs,
	    .batch = spec->batch,
	    .learning_rate = spec->learning_rate,
	    .weight_decay = spec->weight_decay,
	    .alpha = 0.5,
	    .init_scale = spec->init_scale,
	    .anneal = 4,
	    .holdout = 0.05,
	    .seed = 1,
	};
}
