/* SPDX-License-Identifier: Apache-2.0 */
#include "core/diagnose/sharpen.h"

#include <math.h>

#include "core/diagnose/foresight.h"

#define N_STEPS 7 /* of the search: the interval shrinks to 3 % of its length */

/* NLL of all groups with rewards multiplied by exp(log_factor). */
static enum status loss_at(struct foresight *f, double log_factor, double *nll_out, struct err *err)
{
	enum status status = STATUS_OK;

	foresight_scale(f, exp(log_factor));
	*nll_out = 0;
	for (size_t g = 0; g < f->n_groups && status == STATUS_OK; g++) {
		struct tally tally;

		status = foresight_sequence(f, g, &tally, err);
		*nll_out += tally.nll;
	}
	return status;
}

/* Golden-section search (Kiefer 1953) for the least loss over [low, high]. */
static enum status search(struct foresight *f, double low, double high, double *best_out,
			  struct err *err)
{
	const double golden = (sqrt(5) - 1) / 2;
	double a = high - golden * (high - low), b = low + golden * (high - low);
	double loss_a, loss_b;
	enum status status = loss_at(f, a, &loss_a, err);

	if (status == STATUS_OK)
		status = loss_at(f, b, &loss_b, err);
	for (int i = 0; i < N_STEPS && status == STATUS_OK; i++) {
		if (loss_a <= loss_b) {
			high = b;
			b = a;
			loss_b = loss_a;
			a = high - golden * (high - low);
			status = loss_at(f, a, &loss_a, err);
		} else {
			low = a;
			a = b;
			loss_a = loss_b;
			b = low + golden * (high - low);
			status = loss_at(f, b, &loss_b, err);
		}
	}
	*best_out = (low + high) / 2;
	return status;
}

/* The power of 2 with the least loss: heads without any taste make it flat far from there. */
static enum status search_powers(struct foresight *f, double *best_out, struct err *err)
{
	double least = INFINITY;

	for (int i = -SHARPEN_MAX_LOG2; i <= SHARPEN_MAX_LOG2; i++) {
		double loss;
		enum status status = loss_at(f, i * M_LN2, &loss, err);

		if (status != STATUS_OK)
			return status;
		if (loss < least) {
			least = loss;
			*best_out = i * M_LN2;
		}
	}
	return STATUS_OK;
}

enum status sharpen_heads(struct model *model, const struct dataset *dataset, double *factor_out,
			  struct err *err)
{
	size_t n_weights = model->heads.n_heads * model->heads.dim;
	double log_factor = 0;
	struct foresight f;
	enum status status = foresight_init(&f, model, dataset, err);

	if (status == STATUS_OK)
		status = search_powers(&f, &log_factor, err);
	if (status == STATUS_OK)
		status = search(&f, log_factor - M_LN2, log_factor + M_LN2, &log_factor, err);
	foresight_free(&f);
	if (status != STATUS_OK)
		return status;
	*factor_out = exp(log_factor);
	for (size_t i = 0; i < n_weights; i++)
		model->heads.weight[i] *= (float)*factor_out;
	return STATUS_OK;
}
