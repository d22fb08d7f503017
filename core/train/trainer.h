/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trainer.h - what the objectives of stage 1 share: the loop over shuffled
 * batches, gradients of heads and router, AdamW, the held-out part. An objective
 * adds only the gradient of one pair. Private to core/train.
 */
#ifndef MICRO_TRAIN_TRAINER_H
#define MICRO_TRAIN_TRAINER_H

#include "core/base/rng.h"
#include "core/eval/score_table.h"
#include "core/train/adamw.h"
#include "core/train/batch.h"
#include "core/train/pair_order.h"
#include "core/train/simplex.h"
#include "core/train/train.h"

struct trainer;

/* One pair before an objective; each thread has its own. All [n_heads]. */
struct pair_loss {
	size_t pair;
	float *margin;		  /* m_k = r_k(chosen) - r_k(rejected) */
	double *log_weight;	  /* log f_k */
	float *dmargin, *dlogits; /* out: loss gradients at m_k and at g_k */
	double *joint;		  /* scratch */
};

/* What an objective adds to the loop. */
struct objective_ops {
	bool by_user; /* groups are users; otherwise each pair is a group of its own */
	enum status (*start)(struct trainer *t, struct err *err);
	/* may be NULL; epoch: 1..; the table has all scores of the model as it is */
	void (*begin_epoch)(struct trainer *t, size_t epoch);
	/*
	 * Sets loss->dmargin and dlogits; returns the pair's NLL for the progress report.
	 * Several threads at once, with different losses.
	 */
	double (*pair_gradient)(const struct trainer *t, struct pair_loss *loss);
	/* Makes heads and router without any epochs; NULL: trained by pair_gradient() */
	enum status (*solve)(struct trainer *t, struct err *err);
	bool shrinks; /* afterwards heads are drawn together as far as held-out users allow */
};

/* each in the file of its name; stage1: micro and bt */
extern const struct objective_ops stage1_objective, static_objective, ensemble_objective,
    drm_objective, attributes_objective, lore_objective, panel_objective;

struct trainer {
	const struct dataset *dataset;
	const struct train_options *options;
	const struct objective_ops *objective;
	struct model *model;
	size_t n_heads;
	struct rng rng;
	train_progress_fn *progress; /* may be NULL */
	void *progress_context;

	struct adamw heads_opt, router_opt;
	struct pool *pool;	    /* threads of the options */
	struct batch *batch;	    /* dense pairs: they go by whole batches; otherwise NULL */
	float *heads_grad;	    /* sparse pairs, one by one: [dim, n_heads] */
	float *router_grad;	    /* [router.n_params] */
	size_t step, n_steps;	    /* optimizer steps done and in all, for the schedule */
	struct train_progress last; /* as last reported */

	/* group g is order[start[g] .. start[g + 1]); groups are held out whole */
	uint32_t *order; /* [n_pairs] */
	size_t *start;	 /* [n_groups + 1] */
	size_t n_groups;
	uint32_t *groups;      /* [n_groups]: the held-out ones first */
	size_t n_heldout;      /* groups held out */
	uint32_t *group_of;    /* [n_pairs] */
	uint32_t *train_pairs; /* [n_train_pairs], shuffled each epoch */
	size_t n_train_pairs;
	struct pair_order pair_order; /* how they are shuffled */

	/* How much of a group is each head's, [n_groups, n_heads]: of panel the E step, of static
	 * one head, of lore the user's weights; otherwise NULL */
	double *responsibility;
	struct simplex simplex;		/* lore: what fits a user's weights */
	float *margins;			/* lore: [pairs of the user with most, n_heads] */
	double shrinkage;		/* lambda of shrink.c; 1: none */
	struct score_table table;	/* for the E step, the held-out part and the centers */
	struct score_rows heldout_rows; /* what the held-out part needs of it */

	struct pair_loss *losses;    /* [threads of the pool] */
	const uint32_t *batch_pairs; /* dense pairs: of the batch at hand, */
	double *nll;		     /* and what each of them cost [batch->capacity] */

	/* scratch of one pair */
	float *reward;			    /* [n_heads] */
	float *logits;			    /* [n_heads] */
	double *log_weight, *joint, *state; /* [n_heads] */
	float *hidden, *hidden_scratch;	    /* [n_hidden] */
};

/** trainer_init(t, err): t holds its inputs (dataset .. progress_context); memory, split, start. */
enum status trainer_init(struct trainer *t, struct err *err);

/** trainer_free(t): frees what trainer_init() made. */
void trainer_free(struct trainer *t);

/** trainer_epoch(t, epoch, err): one pass over the training pairs. */
enum status trainer_epoch(struct trainer *t, size_t epoch, struct err *err);

/** trainer_score(t, rows, err): the table of rows, NULL: all, by the model as it is. */
enum status trainer_score(struct trainer *t, const struct score_rows *rows, struct err *err);

/**
 * trainer_heldout(t, progress): NLL and accuracy of the held-out groups, whose scores are in
 * the table: each pair is predicted from the router and, when groups are users, from the
 * user's earlier pairs.
 */
void trainer_heldout(struct trainer *t, struct train_progress *progress);

/** trainer_start_responsibility(t, err): room for responsibility; an objective's start. */
enum status trainer_start_responsibility(struct trainer *t, struct err *err);

/**
 * trainer_user_log_likelihood(t, group, out): out [n_heads] = sum_i log p_k,i over the group's
 * pairs, by the score table as it is.
 */
void trainer_user_log_likelihood(const struct trainer *t, size_t group, double *out);

/**
 * stage1_gradient(t, loss, alpha): stage 1's pair_gradient with this weight of the
 * regularizer.
 */
double stage1_gradient(const struct trainer *t, struct pair_loss *loss, double alpha);

/**
 * shrink_heads(t, lambda_out, err): after panel training, with users held out: draw the
 * heads towards their mean as far as the held-out users allow (shrink.c).
 */
enum status shrink_heads(struct trainer *t, double *lambda_out, struct err *err);

#endif
