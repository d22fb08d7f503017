/* SPDX-License-Identifier: Apache-2.0 */
/* model_report.h - what a model file is, for people and for machines. */
#ifndef MICRO_TOOL_MODEL_REPORT_H
#define MICRO_TOOL_MODEL_REPORT_H

#include <stdio.h>

#include "core/model/model.h"
#include "core/tool/head_likeness.h"
#include "core/tool/terminal.h"

/**
 * model_report_text(path, model, likeness, terminal, err): shapes, encoder, templates,
 * training facts, heads, and how alike these are: all cosines of few heads, the most
 * alike pairs of many.
 */
enum status model_report_text(const char *path, const struct model *model,
			      const struct head_likeness *likeness, const struct terminal *terminal,
			      struct err *err);

/**
 * model_report_json(model, likeness, out, err): as microd's GET /model, and
 * "similarity":{"mean","max","most_alike":[{"heads":[a,b],"cosine"}],"matrix"}; mean
 * and max are over pairs of different heads, null with one head.
 */
enum status model_report_json(const struct model *model, const struct head_likeness *likeness,
			      FILE *out, struct err *err);

#endif
