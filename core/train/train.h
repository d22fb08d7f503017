/* SPDX-License-Identifier: Apache-2.0 */
/*
 * train.h - stage 1: heads and router from plain binary preferences.
 *
 *   micro   independent pairs, MiCRo eq. (2)-(4)            (stage1.c)
 *   panel   all pairs of a user share one latent head       (panel.c)
 */
#ifndef MICRO_TRAIN_TRAIN_H
#define MICRO_TRAIN_TRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/model/model.h"

enum objective { OBJECTIVE_AUTO, OBJECTIVE_MICRO, OBJECTIVE_PANEL, N_OBJECTIVES };

struct train_options {
	enum objective objective; /* AUTO: train_objective_for() */
	size_t n_heads;
	enum router_kind router;
	size_t n_hidden;
	size_t epochs;
	size_t batch; /* pairs a step */
	double learning_rate;
	double weight_decay;
	double alpha;	   /* micro: weight of sum_k f_k log f_k, eq. (4) */
	double init_scale; /* standard deviation of the heads at the start; NaN: by n_heads */
	double anneal;	   /* panel: temperature of the responsibilities at the start */
	double holdout;	   /* fraction of the users (panel) or pairs held out */
	uint64_t seed;
	size_t n_threads; /* for dense pairs; their number changes no bit of the model */
};

/* What a progress callback sees; rates are the callback's business (it has the clock). */
struct train_progress {
	size_t epoch, n_epochs;		/* epoch: 1.. */
	size_t pairs_done, pairs_total; /* of the whole training */
	bool epoch_end;
	double nll;	    /* mean over the training pairs of this epoch so far */
	double heldout_nll; /* at an epoch's end; NaN if nothing is held out */
	double heldout_accuracy;
	size_t n_heldout; /* pairs */
};

/** train_progress_fn(context, progress): false asks training to stop (STATUS_INTERRUPTED). */
typedef bool train_progress_fn(void *context, const struct train_progress *progress);

/** objective_name(objective): "auto", "micro" or "panel". */
const char *objective_name(enum objective objective);

/**
 * train_defaults(objective, options_out): what an objective is best trained with,
 * measured on held-out users of real preference data (16 heads of hash:8192).
 */
void train_defaults(enum objective objective, struct train_options *options_out);

/** train_objective_for(dataset): what OBJECTIVE_AUTO stands for: panel if a user has
 * several pairs, micro otherwise. */
enum objective train_objective_for(const struct dataset *dataset);

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
