/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h - whose pairs a diagnosis fits on, chooses by and measures on. Private to core/diagnose.
 */
#ifndef MICRO_DIAGNOSE_PARTS_H
#define MICRO_DIAGNOSE_PARTS_H

#include "core/base/err.h"
#include "core/data/dataset.h"
#include "core/diagnose/diagnosis.h"

struct parts {
	struct dataset part[N_DIAGNOSIS_PARTS];
};

/**
 * parts_init(parts, dataset, options, diagnosis, err): the diagnosis' way, its people and pairs;
 * unless there is too little, also the parts: people (or pairs) in random order until options'
 * budget is spent, three fifths of them to fit, one to choose by, one to measure on.
 * parts_free() releases, also on error.
 * Error: STATUS_NO_MEMORY.
 */
enum status parts_init(struct parts *parts, const struct dataset *dataset,
		       const struct diagnosis_options *options, struct diagnosis *diagnosis,
		       struct err *err);

/** parts_free(parts): zeroed parts are allowed. */
void parts_free(struct parts *parts);

#endif
