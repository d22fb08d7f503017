/* SPDX-License-Identifier: Apache-2.0 */
#include "core/eval/score_table.h"

#include "core/base/mem.h"
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

void score_table_fill(struct score_table *table, const struct dataset *dataset,
		      const struct heads *heads, const struct router *router, float *hidden)
{
	size_t n_heads = table->n_heads;

	for (size_t i = 0; i < dataset->phi.n_rows; i++)
		heads_rewards(heads, features_row(&dataset->phi, i), table->reward + i * n_heads);
	for (size_t i = 0; i < dataset->psi.n_rows; i++)
		router_logits(router, features_row(&dataset->psi, i), hidden,
			      table->logits + i * n_heads);
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
