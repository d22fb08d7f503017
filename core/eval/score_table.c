/* SPDX-License-Identifier: Apache-2.0 */
#include "core/eval/score_table.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/math/linalg.h"
#include "core/math/logmath.h"

enum status score_table_init(struct score_table *table, const struct dataset *dataset,
			     size_t n_heads, struct err *err)
{
	*table = (struct score_table){
	    .n_heads = n_heads,
	    .reward = mem_array(dataset->phi.n_rows, n_heads * sizeof(float)),
	    .logits = mem_array(dataset->psi.n_rows, n_heads * sizeof(float)),
	};
	if (table->reward == NULL || table->logits == NULL) {
		score_table_free(table);
		return err_no_memory(err, "score table");
	}
	return STATUS_OK;
}

void score_table_free(struct score_table *table)
{
	mem_free(table->reward);
	mem_free(table->logits);
	*table = (struct score_table){0};
}

/* The ascending list of the marked ones of n rows, new; NULL without memory. */
static uint32_t *list_marked(const bool *marks, size_t n, size_t *n_out)
{
	size_t n_marked = 0;
	uint32_t *list;

	for (size_t i = 0; i < n; i++)
		n_marked += marks[i];
	list = mem_array(n_marked, sizeof(*list));
	*n_out = 0;
	for (size_t i = 0; list != NULL && i < n; i++) {
		if (marks[i])
			list[(*n_out)++] = (uint32_t)i;
	}
	return list;
}

enum status score_rows_init(struct score_rows *rows, const struct dataset *dataset,
			    const uint32_t *pairs, size_t n, struct err *err)
{
	bool *phi = mem_array(dataset->phi.n_rows, sizeof(*phi));
	bool *psi = mem_array(dataset->psi.n_rows, sizeof(*psi));

	*rows = (struct score_rows){0};
	for (size_t i = 0; phi != NULL && psi != NULL && i < n; i++) {
		phi[dataset->chosen[pairs[i]]] = true;
		phi[dataset->rejected[pairs[i]]] = true;
		psi[dataset->prompt[pairs[i]]] = true;
	}
	if (phi != NULL && psi != NULL) {
		rows->phi = list_marked(phi, dataset->phi.n_rows, &rows->n_phi);
		rows->psi = list_marked(psi, dataset->psi.n_rows, &rows->n_psi);
	}
	mem_free(phi);
	mem_free(psi);
	if (rows->phi != NULL && rows->psi != NULL)
		return STATUS_OK;
	score_rows_free(rows);
	return err_no_memory(err, "rows to score");
}

void score_rows_free(struct score_rows *rows)
{
	mem_free(rows->phi);
	mem_free(rows->psi);
	*rows = (struct score_rows){0};
}

/* rows that are multiplied at once */
#define BLOCK 32

/* What the tasks of score_table_fill() share: first the blocks of phi, then those of psi. */
struct filling {
	struct score_table *table;
	const struct dataset *dataset;
	const struct heads *heads;
	const struct router *router;
	const struct score_rows *rows; /* NULL: all */
	size_t n_phi, n_psi;
	size_t n_phi_blocks;
	/* scratch of each thread */
	float *x;      /* dense features: [n_threads, BLOCK, dim] */
	float *first;  /* [n_threads, BLOCK, outputs of the router's first layer] */
	float *scores; /* [n_threads, BLOCK, n_heads] */
};

static const struct features *features_of(const struct filling *f, bool is_phi)
{
	return is_phi ? &f->dataset->phi : &f->dataset->psi;
}

/* Rows begin .. begin + n - 1 of those wanted, at most BLOCK, into rows [n]. */
static void rows_of_block(const uint32_t *list, size_t begin, size_t n, uint32_t *rows)
{
	for (size_t i = 0; i < n; i++)
		rows[i] = list == NULL ? (uint32_t)(begin + i) : list[begin + i];
}

static enum status fill_dense(struct filling *f, bool is_phi, const uint32_t *rows, size_t n,
			      size_t thread, struct err *err)
{
	size_t dim = f->heads->dim, n_heads = f->table->n_heads;
	size_t n_first = router_first_n_out(f->router);
	float *x = f->x + thread * BLOCK * dim;
	float *first = f->first + thread * BLOCK * n_first;
	float *scores = f->scores + thread * BLOCK * n_heads;
	float *to = is_phi ? f->table->reward : f->table->logits;
	enum status status = features_gather(features_of(f, is_phi), rows, n, x, err);

	if (status != STATUS_OK)
		return status;
	if (is_phi) {
		linalg_matmul(x, dim, n, dim, f->heads->weight, n_heads, scores);
	} else {
		if (n_first > 0)
			linalg_matmul(x, dim, n, dim, f->router->first, n_first, first);
		router_finish(f->router, n, first, scores);
	}
	for (size_t i = 0; i < n; i++)
		memcpy(to + rows[i] * n_heads, scores + i * n_heads, n_heads * sizeof(*scores));
	return STATUS_OK;
}

static void fill_sparse(struct filling *f, bool is_phi, const uint32_t *rows, size_t n,
			size_t thread)
{
	size_t n_heads = f->table->n_heads;
	float *hidden = f->first + thread * BLOCK * router_first_n_out(f->router);

	for (size_t i = 0; i < n; i++) {
		if (is_phi)
			heads_rewards(f->heads, features_row(features_of(f, true), rows[i]),
				      f->table->reward + rows[i] * n_heads);
		else
			router_logits(f->router, features_row(features_of(f, false), rows[i]),
				      hidden, f->table->logits + rows[i] * n_heads);
	}
}

static enum status fill_block(void *context, size_t task, size_t thread, struct err *err)
{
	struct filling *f = context;
	bool is_phi = task < f->n_phi_blocks;
	size_t begin = (is_phi ? task : task - f->n_phi_blocks) * BLOCK;
	size_t rest = (is_phi ? f->n_phi : f->n_psi) - begin;
	size_t n = rest < BLOCK ? rest : BLOCK;
	const uint32_t *list = NULL;
	uint32_t rows[BLOCK];

	if (f->rows != NULL)
		list = is_phi ? f->rows->phi : f->rows->psi;
	rows_of_block(list, begin, n, rows);
	if (features_is_dense(features_of(f, is_phi)))
		return fill_dense(f, is_phi, rows, n, thread, err);
	fill_sparse(f, is_phi, rows, n, thread);
	return STATUS_OK;
}

static size_t n_blocks(size_t n)
{
	return (n + BLOCK - 1) / BLOCK;
}

enum status score_table_fill(struct score_table *table, const struct dataset *dataset,
			     const struct heads *heads, const struct router *router,
			     const struct score_rows *rows, struct pool *pool, struct err *err)
{
	bool is_dense = features_is_dense(&dataset->phi) || features_is_dense(&dataset->psi);
	size_t n = pool_n_threads(pool) * BLOCK;
	struct filling f = {
	    .table = table,
	    .dataset = dataset,
	    .heads = heads,
	    .router = router,
	    .rows = rows,
	    .n_phi = rows == NULL ? dataset->phi.n_rows : rows->n_phi,
	    .n_psi = rows == NULL ? dataset->psi.n_rows : rows->n_psi,
	    .x = mem_array(is_dense ? n : 0, heads->dim * sizeof(float)),
	    .first = mem_array(n, router_first_n_out(router) * sizeof(float)),
	    .scores = mem_array(n, table->n_heads * sizeof(float)),
	};
	enum status status;

	f.n_phi_blocks = n_blocks(f.n_phi);
	if (f.x == NULL || f.first == NULL || f.scores == NULL)
		status = err_no_memory(err, "scoring");
	else
		status = pool_run(pool, f.n_phi_blocks + n_blocks(f.n_psi), fill_block, &f, err);
	mem_free(f.x);
	mem_free(f.first);
	mem_free(f.scores);
	return status;
}

enum status score_table_check(const struct score_table *table, const struct dataset *dataset,
			      struct err *err)
{
	size_t n_heads = table->n_heads, head;

	for (size_t i = 0; i < dataset->n_pairs; i++) {
		if (!all_finite_f(score_table_chosen(table, dataset, i), n_heads, &head) ||
		    !all_finite_f(score_table_rejected(table, dataset, i), n_heads, &head) ||
		    !all_finite_f(score_table_logits(table, dataset, i), n_heads, &head))
			return err_set(
			    err, STATUS_NOT_FINITE,
			    "pair %zu: its score by head %zu is not finite; want vectors "
			    "whose products with the weights fit in a float32",
			    i + 1, head);
	}
	return STATUS_OK;
}

const float *score_table_chosen(const struct score_table *table, const struct dataset *dataset,
				size_t i)
{
	return table->reward + dataset->chosen[i] * table->n_heads;
}

const float *score_table_rejected(const struct score_table *table, const struct dataset *dataset,
				  size_t i)
{
	return table->reward + dataset->rejected[i] * table->n_heads;
}

const float *score_table_logits(const struct score_table *table, const struct dataset *dataset,
				size_t i)
{
	return table->logits + dataset->prompt[i] * table->n_heads;
}
