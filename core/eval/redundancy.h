/* SPDX-License-Identifier: Apache-2.0 */
/* redundancy.h - which heads say the same (MiCRo, appendix C.3). */
#ifndef MICRO_EVAL_REDUNDANCY_H
#define MICRO_EVAL_REDUNDANCY_H

#include <stdbool.h>

#include "core/eval/head_margins.h"
#include "core/model/head_merge.h"

/**
 * redundancy_find(margins, mask, threshold, merge_out, err): groups of heads in which the
 * predictions of every two correlate by threshold or more (complete linkage). The two
 * groups whose least alike heads are most alike are joined first. To compare averages
 * instead would be no bound: an average is more like all others than its parts are.
 * Shares follow margins->usage. Masked heads stay alone: they must neither spoil others
 * nor be unmasked. Groups are numbered by their first heads. The caller frees merge_out
 * with head_merge_free(). STATUS_NO_MEMORY; nothing is owned then.
 */
enum status redundancy_find(const struct head_margins *margins, const bool *mask, double threshold,
			    struct head_merge *merge_out, struct err *err);

#endif
