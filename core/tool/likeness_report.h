/* SPDX-License-Identifier: Apache-2.0 */
/* likeness_report.h - how alike heads are, for people. */
#ifndef MICRO_TOOL_LIKENESS_REPORT_H
#define MICRO_TOOL_LIKENESS_REPORT_H

#include "core/base/err.h"
#include "core/tool/head_likeness.h"
#include "core/tool/terminal.h"

/**
 * likeness_report_text(likeness, title, measure, terminal, err): an empty line, title with mean
 * and maximum, then all of few heads as a matrix, of many the most alike; nothing of one head.
 */
enum status likeness_report_text(const struct head_likeness *likeness, const char *title,
				 const char *measure, const struct terminal *terminal,
				 struct err *err);

#endif
