/* SPDX-License-Identifier: Apache-2.0 */
#include "core/diagnose/measure.h"

#include "core/base/mem.h"
#include "core/diagnose/foresight.h"

static const size_t gain_shots[DIAGNOSIS_MAX_GAINS] = {0, 1, 4, 8};

/* A value a column and person, and how many terms each person's values are sums of. */
struct columns {
	double *x;     /* [n_columns, n] */
	double *count; /* [n] */
	size_t n;
};

static enum status columns_init(struct columns *c, size_t n_columns, size_t n, struct err *err)
{
	c->n = n;
	c->x = mem_array(n, n_columns * sizeof(double));
	c->count = mem_array(n, sizeof(double));
	if (c->x == NULL || c->count == NULL)
		return err_no_memory(err, "sums of people");
	return STATUS_OK;
}

static void columns_free(struct columns *c)
{
	mem_free(c->x);
	mem_free(c->count);
}

static double *column(const struct columns *c, size_t j)
{
	return c->x + j * c->n;
}

static struct estimate column_mean(const struct columns *c, size_t j)
{
	return estimate_ratio(column(c, j), c->count, c->n);
}

/* The mean of column a - column b; a is overwritten. */
static struct estimate difference_mean(const struct columns *c, size_t a, size_t b)
{
	for (size_t i = 0; i < c->n; i++)
		column(c, a)[i] -= column(c, b)[i];
	return column_mean(c, a);
}

/* ---- question 1 ---- */

static enum status fill_sequence(struct foresight *f, struct columns *c, struct err *err)
{
	enum status status = columns_init(c, 1, f->n_groups, err);

	for (size_t g = 0; g < f->n_groups && status == STATUS_OK; g++) {
		struct tally tally;

		status = foresight_sequence(f, g, &tally, err);
		column(c, 0)[g] = tally.nll;
		c->count[g] = (double)tally.n_pairs;
	}
	return status;
}

enum status measure_sequence(const struct model *model, const struct dataset *dataset,
			     struct estimate *nll_out, struct err *err)
{
	struct columns columns = {0};
	struct foresight f;
	enum status status = foresight_init(&f, model, dataset, err);

	if (status == STATUS_OK)
		status = fill_sequence(&f, &columns, err);
	if (status == STATUS_OK)
		*nll_out = column_mean(&columns, 0);
	columns_free(&columns);
	foresight_free(&f);
	return status;
}

/* ---- question 2 ---- */

enum error_column {
	COLUMN_NOISE,
	COLUMN_VARIANCE,
	COLUMN_DISAGREEMENT,
	COLUMN_ENTROPY,
	COLUMN_BOUND,
	COLUMN_MIXTURE,
	COLUMN_SINGLE,
	COLUMN_EXCESS,
	N_ERROR_COLUMNS,
};

static enum status fill_errors(struct foresight *mixture, struct foresight *single,
			       struct columns *c, struct err *err)
{
	enum status status = columns_init(c, N_ERROR_COLUMNS, mixture->n_groups, err);

	for (size_t g = 0; g < c->n && status == STATUS_OK; g++) {
		struct foresight_terms terms = foresight_terms(mixture, g);
		struct tally of_mixture, of_single;

		status = foresight_after(mixture, g, 0, 0, &of_mixture, err);
		if (status == STATUS_OK)
			status = foresight_after(single, g, 0, 0, &of_single, err);
		if (status != STATUS_OK)
			return status;
		column(c, COLUMN_NOISE)[g] = of_mixture.nll - (terms.entropy - terms.noise);
		column(c, COLUMN_VARIANCE)[g] = terms.variance;
		column(c, COLUMN_DISAGREEMENT)[g] = terms.entropy - terms.noise;
		column(c, COLUMN_ENTROPY)[g] = terms.entropy;
		column(c, COLUMN_BOUND)[g] = column(c, COLUMN_NOISE)[g] + 2 * terms.variance;
		column(c, COLUMN_MIXTURE)[g] = of_mixture.nll;
		column(c, COLUMN_SINGLE)[g] = of_single.nll;
		column(c, COLUMN_EXCESS)[g] = of_single.nll - of_mixture.nll;
		c->count[g] = (double)of_mixture.n_pairs;
	}
	return status;
}

static void set_error(const struct columns *c, struct diagnosis_error *error_out)
{
	*error_out = (struct diagnosis_error){
	    .noise = column_mean(c, COLUMN_NOISE),
	    .variance = column_mean(c, COLUMN_VARIANCE),
	    .disagreement = column_mean(c, COLUMN_DISAGREEMENT),
	    .entropy = column_mean(c, COLUMN_ENTROPY),
	    .bound = column_mean(c, COLUMN_BOUND),
	    .mixture_nll = column_mean(c, COLUMN_MIXTURE),
	    .single_nll = column_mean(c, COLUMN_SINGLE),
	    .single_excess = column_mean(c, COLUMN_EXCESS),
	};
	error_out->miscalibration = difference_mean(c, COLUMN_MIXTURE, COLUMN_ENTROPY);
}

/* Both models' foresight on one dataset. */
struct sight {
	struct foresight mixture, single;
};

static enum status sight_init(struct sight *s, const struct model *mixture,
			      const struct model *single, const struct dataset *dataset,
			      struct err *err)
{
	enum status status = foresight_init(&s->mixture, mixture, dataset, err);

	return status == STATUS_OK ? foresight_init(&s->single, single, dataset, err) : status;
}

static void sight_free(struct sight *s)
{
	foresight_free(&s->mixture);
	foresight_free(&s->single);
}

enum status measure_error(const struct model *mixture, const struct model *single,
			  const struct dataset *dataset, struct diagnosis_error *error_out,
			  struct err *err)
{
	struct columns columns = {0};
	struct sight sight = {0};
	enum status status = sight_init(&sight, mixture, single, dataset, err);

	if (status == STATUS_OK)
		status = fill_errors(&sight.mixture, &sight.single, &columns, err);
	if (status == STATUS_OK)
		set_error(&columns, error_out);
	columns_free(&columns);
	sight_free(&sight);
	return status;
}

/* ---- question 3 ---- */

/* Columns of the means over a person's later pairs: accuracy and NLL after each number of
 * feedbacks, then the single model's. */
static size_t accuracy_column(size_t shot)
{
	return 2 * shot;
}

static size_t nll_column(size_t shot)
{
	return 2 * shot + 1;
}

static size_t count_larger(const struct foresight *f, size_t n_pairs)
{
	size_t n = 0;

	for (size_t g = 0; g < f->n_groups; g++)
		n += foresight_size(f, g) > n_pairs;
	return n;
}

/* Numbers of feedbacks that enough people can give and still have a pair; 0 if only none. */
static size_t count_gains(const struct foresight *f)
{
	size_t n = DIAGNOSIS_MAX_GAINS;

	while (n > 1 && count_larger(f, gain_shots[n - 1]) < DIAGNOSIS_MIN_MEASURED)
		n--;
	return n > 1 ? n : 0;
}

static void put_score(const struct columns *c, size_t shot, size_t g, const struct tally *tally)
{
	struct eval_score score = tally_score(tally);

	column(c, accuracy_column(shot))[g] = score.accuracy;
	column(c, nll_column(shot))[g] = score.nll;
}

static enum status fill_person(struct sight *s, struct columns *c, size_t g, size_t n_gains,
			       struct err *err)
{
	size_t first = gain_shots[n_gains - 1];
	struct tally tally;
	enum status status = STATUS_OK;

	for (size_t j = 0; j < n_gains && status == STATUS_OK; j++) {
		status = foresight_after(&s->mixture, g, gain_shots[j], first, &tally, err);
		put_score(c, j, g, &tally);
	}
	if (status == STATUS_OK)
		status = foresight_after(&s->single, g, 0, first, &tally, err);
	put_score(c, n_gains, g, &tally);
	c->count[g] = 1;
	return status;
}

static enum status fill_gains(struct sight *s, struct columns *c, size_t n_gains, struct err *err)
{
	enum status status = columns_init(c, 2 * (n_gains + 1), s->mixture.n_groups, err);

	for (size_t g = 0; g < c->n && status == STATUS_OK; g++) {
		if (foresight_size(&s->mixture, g) > gain_shots[n_gains - 1])
			status = fill_person(s, c, g, n_gains, err);
	}
	return status;
}

/* From the last to the first, because differences overwrite what they are taken from. */
static void set_gains(struct columns *c, struct diagnosis *d)
{
	size_t single = d->n_gains;

	d->single_accuracy = column_mean(c, accuracy_column(single)).mean;
	d->single_nll = column_mean(c, nll_column(single)).mean;
	d->single_saving = difference_mean(c, nll_column(single), nll_column(d->n_gains - 1));
	for (size_t j = d->n_gains; j-- > 0;) {
		struct diagnosis_gain *gain = &d->gains[j];
		struct estimate *saving = &gain->nll_saving;

		gain->shots = gain_shots[j];
		gain->accuracy = column_mean(c, accuracy_column(j)).mean;
		gain->nll = column_mean(c, nll_column(j)).mean;
		gain->accuracy_gain = difference_mean(c, accuracy_column(j), accuracy_column(0));
		*saving = difference_mean(c, nll_column(j), nll_column(0));
		*saving = (struct estimate){-saving->mean, saving->se, -saving->high, -saving->low,
					    saving->n_clusters};
	}
}

enum status measure_gains(const struct model *mixture, const struct model *single,
			  const struct dataset *dataset, struct diagnosis *diagnosis,
			  struct err *err)
{
	struct columns columns = {0};
	struct sight sight = {0};
	enum status status = sight_init(&sight, mixture, single, dataset, err);
	size_t n_gains = status == STATUS_OK ? count_gains(&sight.mixture) : 0;

	if (n_gains > 0)
		status = fill_gains(&sight, &columns, n_gains, err);
	if (status == STATUS_OK && n_gains > 0) {
		diagnosis->n_gains = n_gains;
		diagnosis->gain_users = count_larger(&sight.mixture, gain_shots[n_gains - 1]);
		diagnosis->gain_left_out = sight.mixture.n_groups - diagnosis->gain_users;
		set_gains(&columns, diagnosis);
	}
	columns_free(&columns);
	sight_free(&sight);
	return status;
}
