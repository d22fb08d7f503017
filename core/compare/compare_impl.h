/* SPDX-License-Identifier: Apache-2.0 */
/* compare_impl.h - what the parts of a comparison share. Private to core/compare. */
#ifndef MICRO_COMPARE_COMPARE_IMPL_H
#define MICRO_COMPARE_COMPARE_IMPL_H

#include "core/compare/compare.h"

/** compare_measured(options): the pairs that contexts are measured on; they may have none. */
const struct dataset *compare_measured(const struct compare_options *options);

/** compare_featured(options): the method that curves and maps are made of. */
const struct compare_method *compare_featured(const struct compare_options *options);

/**
 * compare_layout(options, comparison, n_steps_out, err): check all options and give the zeroed
 * comparison its names and room for every figure, all zero; n_steps_out: trainings of either
 * stage to come. On error the caller frees. Errors: as compare_run().
 */
enum status compare_layout(const struct compare_options *options, struct comparison *comparison,
			   size_t *n_steps_out, struct err *err);

/** compare_maps(options, model, comparison, err): both maps, of the featured method's model. */
enum status compare_maps(const struct compare_options *options, const struct model *model,
			 struct comparison *comparison, struct err *err);

#endif
