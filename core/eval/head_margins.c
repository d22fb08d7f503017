/* SPDX-License-Identifier: Apache-2.0 */
#include "core/eval/head_margins.h"

#include <math.h>

#include "core/base/mem.h"
#include "core/eval/score_table.h"
#include "core/math/linalg.h"
#include "core/math/logmath.h"
#include "core/model/mixture.h"

/* What one dataset is read with. */
struct reading {
	const struct model *model;
	const struct dataset *dataset;
	struct score_table table;
	double *log_weight; /* [n_heads], scratch */
};

static void reading_free(struct reading *reading)
{
	score_table_free(&reading->table);
	mem_free(reading->log_weight);
}

static enum status reading_init(struct reading *reading, struct err *err)
{
	const struct model *model = reading->model;
	size_t n_heads = model->heads.n_heads;
	enum status status;

	if (reading->dataset->phi.dim != model->heads.dim)
		return err_set(err, STATUS_WRONG_DIMENSION,
			       "data of dimension %zu, but the model has %zu",
			       reading->dataset->phi.dim, model->heads.dim);
	status = score_table_init(&reading->table, reading->dataset, n_heads, err);
	if (status != STATUS_OK)
		return status;
	reading->log_weight = mem_array(n_heads, sizeof(double));
	if (reading->log_weight == NULL) {
		reading_free(reading);
		return err_no_memory(err, "the heads' margins");
	}
	status = score_table_fill(&reading->table, reading->dataset, &model->heads, &model->router,
				  NULL, NULL, err);
	if (status == STATUS_OK)
		status = score_table_check(&reading->table, reading->dataset, err);
	if (status != STATUS_OK)
		reading_free(reading);
	return status;
}

/* The pairs of one dataset, from column begin on; usage is summed, not yet a mean. */
static void add_pairs(struct head_margins *margins, struct reading *reading, size_t begin)
{
	size_t n_heads = margins->n_heads;

	for (size_t i = 0; i < reading->dataset->n_pairs; i++) {
		const float *chosen = score_table_chosen(&reading->table, reading->dataset, i);
		const float *rejected = score_table_rejected(&reading->table, reading->dataset, i);

		mixture_log_weights(score_table_logits(&reading->table, reading->dataset, i), NULL,
				    reading->model->mask, n_heads, reading->log_weight);
		for (size_t k = 0; k < n_heads; k++) {
			margins->margin[k * margins->n_pairs + begin + i] = chosen[k] - rejected[k];
			margins->usage[k] += exp(reading->log_weight[k]);
		}
	}
}

static enum status add_dataset(struct head_margins *margins, const struct model *model,
			       const struct dataset *dataset, size_t begin, struct err *err)
{
	struct reading reading = {.model = model, .dataset = dataset};
	enum status status = reading_init(&reading, err);

	if (status != STATUS_OK)
		return status;
	add_pairs(margins, &reading, begin);
	reading_free(&reading);
	return STATUS_OK;
}

/* Two finite rewards may still be too far apart. */
static enum status check_margins(const struct head_margins *margins, struct err *err)
{
	size_t bad;

	if (all_finite_f(margins->margin, margins->n_heads * margins->n_pairs, &bad))
		return STATUS_OK;
	return err_set(err, STATUS_NOT_FINITE,
		       "pair %zu: the rewards of head %zu differ by more than fits in a float32",
		       bad % margins->n_pairs + 1, bad / margins->n_pairs);
}

static enum status margins_alloc(struct head_margins *margins, struct err *err)
{
	size_t n;

	if (mem_mul(margins->n_heads, margins->n_pairs, &n)) {
		margins->margin = mem_array(n, sizeof(*margins->margin));
		margins->usage = mem_array(margins->n_heads, sizeof(*margins->usage));
	}
	if (margins->margin == NULL || margins->usage == NULL)
		return err_no_memory(err, "the heads' margins");
	return STATUS_OK;
}

enum status head_margins_init(struct head_margins *margins, const struct model *model,
			      const struct dataset *datasets, size_t n_datasets, struct err *err)
{
	size_t begin = 0;
	enum status status;

	*margins = (struct head_margins){.n_heads = model->heads.n_heads};
	for (size_t j = 0; j < n_datasets; j++)
		margins->n_pairs += datasets[j].n_pairs;
	status = margins_alloc(margins, err);
	for (size_t j = 0; j < n_datasets && status == STATUS_OK; j++) {
		status = add_dataset(margins, model, &datasets[j], begin, err);
		begin += datasets[j].n_pairs;
	}
	if (status == STATUS_OK)
		status = check_margins(margins, err);
	if (status != STATUS_OK) {
		head_margins_free(margins);
		return status;
	}
	for (size_t k = 0; k < margins->n_heads; k++)
		margins->usage[k] /= (double)margins->n_pairs;
	return STATUS_OK;
}

void head_margins_free(struct head_margins *margins)
{
	mem_free(margins->margin);
	mem_free(margins->usage);
	*margins = (struct head_margins){0};
}

/* out [n] = 2 sigmoid(margin) - 1 = tanh(margin / 2), odd in the order of the pair */
static void predict(const float *margin, size_t n, float *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = tanhf(margin[i] / 2);
}

enum status head_margins_correlation(const struct head_margins *margins, double *matrix_out,
				     struct err *err)
{
	size_t n_heads = margins->n_heads, n_pairs = margins->n_pairs;
	float *predictions = mem_array(n_heads * n_pairs, sizeof(*predictions));

	if (predictions == NULL)
		return err_no_memory(err, "the heads' predictions");
	predict(margins->margin, n_heads * n_pairs, predictions);
	for (size_t a = 0; a < n_heads; a++) {
		for (size_t b = 0; b <= a; b++) {
			double cosine = linalg_cosine(predictions + a * n_pairs,
						      predictions + b * n_pairs, n_pairs);

			matrix_out[a * n_heads + b] = cosine;
			matrix_out[b * n_heads + a] = cosine;
		}
	}
	mem_free(predictions);
	return STATUS_OK;
}
