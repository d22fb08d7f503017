/* SPDX-License-Identifier: Apache-2.0 */
/* eval_compare.h - micro-model eval --compare: methods in, tables, JSON and a page out. */
#ifndef MICRO_TOOL_EVAL_COMPARE_H
#define MICRO_TOOL_EVAL_COMPARE_H

#include "core/tool/eval_config.h"

/** eval_compare(config, err): prints results to stdout and progress to stderr. */
enum status eval_compare(const struct eval_config *config, struct err *err);

#endif
