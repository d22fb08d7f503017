/* SPDX-License-Identifier: Apache-2.0 */
#include "core/diagnose/diagnosis.h"

#include "core/diagnose/measure.h"
#include "core/diagnose/parts.h"
#include "core/diagnose/sharpen.h"
#include "core/train/train.h"

/* What a training costs beside its heads, in heads: for the progress only. */
#define COST_BASE 8

/* Gradient steps a pass over the data, if that leaves batches of a size. */
#define STEPS_AN_EPOCH 75
#define MIN_BATCH      16

/* People (or pairs) to fit on, for each head: fewer cannot tell it from the others. */
#define MIN_GROUPS_A_HEAD 5

static const size_t curve_heads[DIAGNOSIS_MAX_CURVE] = {1, 2, 4, 8, 16, 32};

/* Everything one diagnosis works with. */
struct run {
	const struct encoder *encoder;
	const struct diagnosis_options *options;
	diagnosis_progress_fn *progress; /* may be NULL */
	void *progress_context;
	struct diagnosis_progress state;
	double cost_before, cost, cost_all; /* of trainings done, of this one, of all */
	struct parts parts;
	struct model single, mixture; /* K = 1; the best of K >= 2 */
	struct diagnosis *diagnosis;
};

static double cost_of(size_t n_heads)
{
	return (double)(COST_BASE + n_heads);
}

/* How many points the curve has: at least two, and no more than there are people for. */
static size_t count_fits(const struct dataset *fit)
{
	size_t n_groups = fit->n_users > 0 ? fit->n_users : fit->n_pairs;
	size_t n = 2;

	while (n < DIAGNOSIS_MAX_CURVE && curve_heads[n] * MIN_GROUPS_A_HEAD <= n_groups)
		n++;
	return n;
}

static bool on_progress(void *context, const struct train_progress *train)
{
	struct run *run = context;
	double part = (double)train->pairs_done / (double)train->pairs_total;

	run->state.done = (run->cost_before + run->cost * part) / run->cost_all;
	return run->progress == NULL || run->progress(run->progress_context, &run->state);
}

/* Little data needs as many steps as much data, or its heads stay where they began. */
static size_t batch_for(const struct dataset *fit, size_t usual)
{
	size_t batch = fit->n_pairs / STEPS_AN_EPOCH;

	if (batch < MIN_BATCH)
		batch = MIN_BATCH;
	return batch < usual ? batch : usual;
}

/* A mixture of n_heads with train's defaults but for the batch; model_free() releases. */
static enum status fit(struct run *run, size_t n_heads, struct model *model, struct err *err)
{
	bool by_user = run->diagnosis->way == DIAGNOSIS_BY_USER;
	struct train_options options;
	enum status status;

	train_defaults(by_user ? OBJECTIVE_PANEL : OBJECTIVE_MICRO, &options);
	options.n_heads = n_heads;
	options.seed = run->options->seed;
	options.n_threads = run->options->n_threads;
	options.batch = batch_for(&run->parts.part[DIAGNOSIS_FIT], options.batch);
	status = model_init(model, n_heads, options.router, options.n_hidden, run->encoder, err);
	if (status != STATUS_OK)
		return status;
	status = train_run(&run->parts.part[DIAGNOSIS_FIT], &options, on_progress, run, model, err);
	if (status != STATUS_OK) {
		model_free(model);
		err_wrap(err, "%zu heads", n_heads);
	}
	return status;
}

/* Keep the single model and the best mixture so far; the other goes. The model is the run's then,
 * which a pointer to const would hide. */
/* cppcheck-suppress constParameter */
static void keep(struct run *run, struct model *model, size_t point)
{
	struct diagnosis *d = run->diagnosis;
	struct model *place = point == 0 ? &run->single : &run->mixture;
	struct model other = *model;
	bool is_best = point <= 1;

	if (!is_best)
		is_best = d->curve[point].nll.mean < d->curve[d->mixture].nll.mean;
	if (is_best) {
		other = *place;
		*place = *model;
		d->mixture = point;
	}
	model_free(&other);
}

static enum status fit_point(struct run *run, size_t point, struct err *err)
{
	struct diagnosis *d = run->diagnosis;
	struct model model;
	enum status status;

	d->curve[point].n_heads = curve_heads[point];
	run->state.fit = point + 1;
	run->state.n_heads = curve_heads[point];
	run->cost = cost_of(curve_heads[point]);
	status = fit(run, curve_heads[point], &model, err);
	if (status != STATUS_OK)
		return status;
	run->cost_before += run->cost;
	status = sharpen_heads(&model, &run->parts.part[DIAGNOSIS_CHOOSE],
			       &d->curve[point].sharpening, err);
	if (status == STATUS_OK)
		status = measure_sequence(&model, &run->parts.part[DIAGNOSIS_CHOOSE],
					  &d->curve[point].nll, err);
	if (status != STATUS_OK) {
		model_free(&model);
		return status;
	}
	keep(run, &model, point);
	return STATUS_OK;
}

static enum status fit_curve(struct run *run, struct err *err)
{
	struct diagnosis *d = run->diagnosis;
	enum status status = STATUS_OK;

	d->n_curve = count_fits(&run->parts.part[DIAGNOSIS_FIT]);
	run->state.n_fits = d->n_curve;
	for (size_t i = 0; i < d->n_curve; i++)
		run->cost_all += cost_of(curve_heads[i]);
	for (size_t i = 0; i < d->n_curve && status == STATUS_OK; i++)
		status = fit_point(run, i, err);
	if (status == STATUS_OK)
		d->supported = diagnosis_supported(d->curve, d->n_curve, &d->best);
	return status;
}

static enum status examine(struct run *run, struct err *err)
{
	const struct dataset *people = &run->parts.part[DIAGNOSIS_MEASURE];
	struct diagnosis *d = run->diagnosis;
	enum status status = fit_curve(run, err);

	if (status == STATUS_OK)
		status = measure_error(&run->mixture, &run->single, people, &d->error, err);
	if (status == STATUS_OK && d->way == DIAGNOSIS_BY_USER)
		status = measure_gains(&run->mixture, &run->single, people, d, err);
	return status;
}

enum status diagnosis_run(const struct dataset *dataset, const struct encoder *encoder,
			  const struct diagnosis_options *options, diagnosis_progress_fn *progress,
			  void *context, struct diagnosis *diagnosis_out, struct err *err)
{
	struct run run = {
	    .encoder = encoder,
	    .options = options,
	    .progress = progress,
	    .progress_context = context,
	    .diagnosis = diagnosis_out,
	};
	enum status status;

	*diagnosis_out = (struct diagnosis){0};
	status = parts_init(&run.parts, dataset, options, diagnosis_out, err);
	if (status == STATUS_OK && diagnosis_out->way != DIAGNOSIS_TOO_LITTLE)
		status = examine(&run, err);
	if (status == STATUS_OK)
		diagnosis_conclude(diagnosis_out);
	model_free(&run.single);
	model_free(&run.mixture);
	parts_free(&run.parts);
	return status;
}
