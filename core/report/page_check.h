/* SPDX-License-Identifier: Apache-2.0 */
/* page_check.h - that every number of a comparison can be shown. */
#ifndef MICRO_REPORT_PAGE_CHECK_H
#define MICRO_REPORT_PAGE_CHECK_H

#include "core/base/err.h"
#include "core/compare/comparison.h"

/** page_check(comparison, err): Errors, naming method and number: STATUS_NOT_FINITE,
 * STATUS_INVALID_VALUE (an accuracy or weight outside 0..1, a negative spread or what is
 * too large to draw). */
enum status page_check(const struct comparison *comparison, struct err *err);

#endif
