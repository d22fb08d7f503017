/* SPDX-License-Identifier: Apache-2.0 */
/*
 * score_table.h - every head's reward for every distinct response of a dataset
 * and the router's logits for every distinct prompt, computed once: pairs and
 * users then cost a few additions each.
 */
#ifndef MICRO_EVAL_SCORE_TABLE_H
#define MICRO_EVAL_SCORE_TABLE_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/base/pool.h"
#include "core/data/dataset.h"
#include "core/model/heads.h"
#include "core/model/router.h"

struct score_table {
	size_t n_heads;
	float *reward; /* [dataset->phi.n_rows, n_heads] */
	float *logits; /* [dataset->psi.n_rows, n_heads] */
};

/** score_table_init(table, dataset, n_heads, err): room for the scores; score_table_free(). */
enum status score_table_init(struct score_table *table, const struct dataset *dataset,
			     size_t n_heads, struct err *err);

/** score_table_free(table): a zeroed table is allowed. */
void score_table_free(struct score_table *table);

/* The features that some pairs are made of, each once, ascending. */
struct score_rows {
	uint32_t *phi, *psi; /* [n_phi], [n_psi] */
	size_t n_phi, n_psi;
};

/** score_rows_init(rows, dataset, pairs, n, err): those of pairs [n]; score_rows_free() releases.
 */
enum status score_rows_init(struct score_rows *rows, const struct dataset *dataset,
			    const uint32_t *pairs, size_t n, struct err *err);

/** score_rows_free(rows): zeroed ones are allowed. */
void score_rows_free(struct score_rows *rows);

/**
 * score_table_fill(table, dataset, heads, router, rows, pool, err): compute the entries
 * of rows, NULL: all; the others keep their values. Dense features go by blocks of
 * rows. pool: threads, or NULL; their number changes no bit.
 * Errors: STATUS_NO_MEMORY, and those of features_gather().
 */
enum status score_table_fill(struct score_table *table, const struct dataset *dataset,
			     const struct heads *heads, const struct router *router,
			     const struct score_rows *rows, struct pool *pool, struct err *err);

/**
 * score_table_check(table, dataset, err): after score_table_fill(): STATUS_NOT_FINITE naming
 * the first pair, from 1, with a reward or logit that is not finite.
 */
enum status score_table_check(const struct score_table *table, const struct dataset *dataset,
			      struct err *err);

/** score_table_chosen(table, dataset, i), _rejected, _logits: rows [n_heads] of pair i. */
const float *score_table_chosen(const struct score_table *table, const struct dataset *dataset,
				size_t i);
const float *score_table_rejected(const struct score_table *table, const struct dataset *dataset,
				  size_t i);
const float *score_table_logits(const struct score_table *table, const struct dataset *dataset,
				size_t i);

#endif
