/* SPDX-License-Identifier: Apache-2.0 */
/* page_summary.h - what the numbers of a comparison say, in sentences. */
#ifndef MICRO_REPORT_PAGE_SUMMARY_H
#define MICRO_REPORT_PAGE_SUMMARY_H

#include <stdio.h>

#include "core/compare/comparison.h"

/**
 * page_summary_write(comparison, out): a paragraph of HTML: which method is right most often
 * after the most feedbacks (or without any), by how much more than a single Bradley-Terry model
 * and the next best, and whether the seeds' spread allows to say so.
 */
void page_summary_write(const struct comparison *comparison, FILE *out);

/** page_summary_score(comparison, result): after the most feedbacks, or of all pairs when
 * there is no protocol of feedback. */
const struct compare_score *page_summary_score(const struct comparison *comparison,
					       const struct compare_result *result);

#endif
