/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train.h - stage 1: heads and router from preferences, by MiCRo's methods and by
 * those it is compared with.
 *
 *   bt          one Bradley-Terry head                                 (stage1.c)
 *   static      mixture whose weights know no context, MaxMin-RLHF     (static.c)
 *   ensemble    heads around random priors, HyRe                       (ensemble.c)
 *   drm         principal components of the differences                (drm.c)
 *   attributes  one head per context, ARMO                             (attributes.c)
 *   lore        basis with a simplex weight per user, LoRe             (lore.c)
 *   micro       independent pairs, MiCRo eq. (2)-(4)                   (stage1.c)
 *   panel       all pairs of a user share one latent head              (panel.c)
 */
#ifndef MICRO_TRAIN_TRAIN_H
#define MICRO_TRAIN_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/model/model.h"

enum objective {
	OBJECTIVE_AUTO,
	OBJECTIVE_BT,
	OBJECTIVE_STATIC,
	OBJECTIVE_ENSEMBLE,
	OBJECTIVE_DRM,
	OBJECTIVE_ATTRIBUTES,
	OBJECTIVE_LORE,
	OBJECTIVE_MICRO,
	OBJECTIVE_PANEL,
	N_OBJECTIVES
};

struct train_options {
	enum objective objective; /* AUTO: train_objective_for() */
	size_t n_heads;		  /* 0: as many as the data has contexts (attributes) */
	enum router_kind router;
	size_t n_hidden;
	size_t epochs; /* drm: 0, it has none */
	size_t batch;  /* pairs a step */
	double learning_rate;
	double weight_decay;
	double alpha;	   /* micro: weight of sum_k f_k log f_k, eq. (4) */
	double init_scale; /* standard deviation of the heads at the start; NaN: by n_heads */
	double anneal;	   /* panel: temperature of the responsibilities at the start */
	double holdout;	   /* fraction of the users (where users matter) or pairs held out */
	uint64_t seed;
	size_t n_threads; /* for dense pairs; their number changes no bit of the model */
};

/* What a progress callback sees; rates are the callback's business (it has the clock). */
struct train_progress {
	size_t epoch, n_epochs;		/* epoch: 1.. */
	size_t pairs_done, pairs_total; /* of the whole training */
	bool epoch_end;
	double nll; /* mean over the training pairs of this epoch so far; NaN: drm has none */
	double heldout_nll; /* at an epoch's end; NaN if nothing is held out */
	double heldout_accuracy;
	size_t n_heldout; /* pairs */
};

/** train_progress_fn(context, progress): false asks training to stop (STATUS_INTERRUPTED). */
typedef bool train_progress_fn(void *context, const struct train_progress *progress);

/** objective_name(objective): "auto", "bt", ..., as it is typed. */
const char *objective_name(enum objective objective);

/** objective_summary(objective): what it does, one line for people. */
const char *objective_summary(enum objective objective);

/**
 * train_defaults(objective, options_out): what an objective is best trained with,
 * measured on held-out users of real preference data (16 heads of hash:8192).
 */
void train_defaults(enum objective objective, struct train_options *options_out);

/** train_objective_for(dataset): what OBJECTIVE_AUTO stands for: panel if a user has
 * several pairs, micro otherwise. */
enum objective train_objective_for(const struct dataset *dataset);

/**
 * train_settle(dataset, options, err): put in what only the data tells: an objective
 * AUTO, the number of heads where it is 0, an init_scale NaN. Call it before
 * model_init(), which wants options' n_heads, router and n_hidden; settled options
 * stay as they are. Errors: STATUS_INVALID_VALUE if objective, options and data do
 * not go together.
 */
enum status train_settle(const struct dataset *dataset, struct train_options *options,
			 struct err *err);

/**
 * train_run(dataset, options, progress, context, model, err): train model's heads
 * and router in place (model_init() has made it with options' shapes) and set
 * heads.center, facts and id. Deterministic: same data, options and BLAS threads
 * -> the same bits. progress may be NULL. Errors: STATUS_INVALID_VALUE (options
 * that do not fit the data), STATUS_NOT_FINITE (diverged; says at which epoch and
 * what to lower), STATUS_INTERRUPTED, STATUS_NO_MEMORY.
 */
enum status train_run(const struct dataset *dataset, const struct train_options *options,
		      train_progress_fn *progress, void *context, struct model *model,
		      struct err *err);

#endif
