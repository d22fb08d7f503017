/* SPDX-License-Identifier: Apache-2.0 */
/* redundancy.h - which heads say the same (MiCRo, appendix C.3). */
#ifndef MICRO_EVAL_REDUNDANCY_H
#define MICRO_EVAL_REDUNDANCY_H

#include <stdbool.h>

#include "core/eval/head_margins.h"
#include "core/model/head_merge.h"

/**
 * redundancy_find(margins, mask, threshold, merge_out, err): greedily, while the predictions
 * of two heads correlate by threshold or more, the two most alike become one, an average
 * weighted by usage, whose own predictions count from then on. Masked heads stay as they
 * are: they must neither spoil others nor be unmasked. Groups are numbered by their first
 * heads. The caller frees merge_out with head_merge_free(). STATUS_NO_MEMORY.
 */
enum status redundancy_find(const struct head_margins *margins, const bool *mask, double threshold,
			    struct head_merge *merge_out, struct err *err);

#endif
