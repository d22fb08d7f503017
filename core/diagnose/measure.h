/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - fitted mixtures on people they have not seen. Private to core/diagnose. */
#ifndef MICRO_DIAGNOSE_MEASURE_H
#define MICRO_DIAGNOSE_MEASURE_H

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/diagnose/diagnosis.h"
#include "core/model/model.h"

/** measure_sequence(model, dataset, nll_out, err): sequential NLL. STATUS_NOT_FINITE,
 * STATUS_NO_MEMORY. */
enum status measure_sequence(const struct model *model, const struct dataset *dataset,
			     struct estimate *nll_out, struct err *err);

/** measure_error(mixture, single, dataset, error_out, err): question 2. Errors as above. */
enum status measure_error(const struct model *mixture, const struct model *single,
			  const struct dataset *dataset, struct diagnosis_error *error_out,
			  struct err *err);

/**
 * measure_gains(mixture, single, dataset, diagnosis, err): question 3, into gains and the
 * fields below it; of m = 0, 1, 4, 8 those for which DIAGNOSIS_MIN_MEASURED people have
 * a later pair, n_gains 0 if there is none but 0. Errors as above.
 */
enum status measure_gains(const struct model *mixture, const struct model *single,
			  const struct dataset *dataset, struct diagnosis *diagnosis,
			  struct err *err);

#endif
