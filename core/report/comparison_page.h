/* SPDX-License-Identifier: Apache-2.0 */
/*
 * comparison_page.h - a comparison as one HTML page with its charts inside: no
 * script, nothing loaded from elsewhere, readable on a phone, in the dark and on paper.
 */
#ifndef MICRO_REPORT_COMPARISON_PAGE_H
#define MICRO_REPORT_COMPARISON_PAGE_H

#include <stdio.h>

#include "core/base/err.h"
#include "core/compare/comparison.h"

/**
 * comparison_page_write(comparison, out, err): the page in UTF-8, flushed; the caller opens and
 * closes out. The same comparison gives the same bytes, in every locale. Names may be
 * any bytes and are only shown. What the comparison lacks (shots, contexts, curves, maps) is left
 * out. Errors: STATUS_NOT_FINITE and STATUS_INVALID_VALUE name the number that cannot be shown,
 * before anything is written; STATUS_IO, STATUS_NO_MEMORY: out may have a part of the page.
 */
enum status comparison_page_write(const struct comparison *comparison, FILE *out, struct err *err);

#endif
