/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sharpen.h - one factor on all heads (temperature scaling; Guo et al. 2017): a fixed number of
 * epochs leaves heads too blunt or too sure, and then their noise is mistaken for tastes.
 * Private to core/diagnose.
 */
#ifndef MICRO_DIAGNOSE_SHARPEN_H
#define MICRO_DIAGNOSE_SHARPEN_H

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/model/model.h"

#define SHARPEN_MAX_LOG2 3 /* factors from 2^-3 to 2^3 are tried, then those near the best one */

/**
 * sharpen_heads(model, dataset, factor_out, err): multiply the heads by the factor with the
 * least NLL of sequential prediction (foresight_sequence()) on dataset: of the powers of 2, then by
 * golden-section search on both sides of the best one.
 * Errors: STATUS_NOT_FINITE, STATUS_NO_MEMORY; model is unchanged then.
 */
enum status sharpen_heads(struct model *model, const struct dataset *dataset, double *factor_out,
			  struct err *err);

#endif
