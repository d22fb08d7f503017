/* SPDX-License-Identifier: Apache-2.0 */
#include "core/train/objective.h"

#include <assert.h>
#include <math.h>

/*
 * In the order of enum objective. Defaults: heads, router, epochs, batch, learning rate,
 * weight decay, init scale. Where they differ, people held out of real data made the
 * difference: of ensemble, a smaller prior drowns in what all heads learn and a larger one
 * blurs it; of panel, users tell the heads apart and the router only has to be a prior.
 */
static const struct objective_spec specs[] = {
    {
	.name = "auto",
	.summary = "panel if a user has several pairs, micro otherwise",
	.defaults = {16, ROUTER_MLP, 16, 256, 0.01, 0.01, NAN},
    },
    {
	.name = "bt",
	.summary = "one Bradley-Terry head for everyone",
	.ops = &stage1_objective,
	.static_router = true,
	.one_head = true,
	.defaults = {1, ROUTER_STATIC, 16, 256, 0.01, 0.01, NAN},
    },
    {
	.name = "static",
	.summary = "mixture with fixed weights; each user has one head (MaxMin-RLHF)",
	.ops = &static_objective,
	.static_router = true,
	.defaults = {16, ROUTER_STATIC, 12, 512, 0.02, 0.01, 0.1},
    },
    {
	.name = "ensemble",
	.summary = "heads around fixed random priors, each trained on all pairs (HyRe)",
	.ops = &ensemble_objective,
	.static_router = true,
	.defaults = {16, ROUTER_STATIC, 12, 512, 0.01, 0, 3},
    },
    {
	.name = "drm",
	.summary = "principal components of the differences, no training (DRM)",
	.ops = &drm_objective,
	.static_router = true,
	.defaults = {16, ROUTER_STATIC, 0, 512, 0.02, 0.01, NAN},
    },
    {
	.name = "attributes",
	.summary = "a head for each context, as the pairs are labelled (ARMO)",
	.ops = &attributes_objective,
	.needs = NEEDS_CONTEXTS,
	.defaults = {0, ROUTER_LINEAR, 16, 32, 0.01, 0.01, NAN},
    },
    {
	.name = "lore",
	.summary = "basis of rewards and a mixture of it for each user (LoRe)",
	.ops = &lore_objective,
	.needs = NEEDS_USERS,
	.static_router = true,
	.defaults = {16, ROUTER_STATIC, 20, 512, 0.01, 0.01, NAN},
    },
    {
	.name = "micro",
	.summary = "each pair by itself, router and heads together (MiCRo, stage 1)",
	.ops = &stage1_objective,
	.defaults = {16, ROUTER_MLP, 16, 256, 0.01, 0.01, NAN},
    },
    {
	.name = "panel",
	.summary = "all pairs of a user share one hidden head (ours)",
	.ops = &panel_objective,
	.needs = NEEDS_USERS,
	.defaults = {16, ROUTER_LINEAR, 12, 512, 0.02, 0.01, NAN},
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
	const struct objective_defaults *defaults = &objective_spec(objective)->defaults;

	*options_out = (struct train_options){
	    .objective = objective,
	    .n_heads = defaults->n_heads,
	    .router = defaults->router,
	    .n_hidden = 128,
	    .epochs = defaults->epochs,
	    .batch = defaults->batch,
	    .learning_rate = defaults->learning_rate,
	    .weight_decay = defaults->weight_decay,
	    .alpha = 0.5,
	    .init_scale = defaults->init_scale,
	    .anneal = 4,
	    .holdout = 0.05,
	    .seed = 1,
	    .n_threads = 1,
	};
}
