/* SPDX-License-Identifier: Apache-2.0 */
/* train_report.h - what micro-model train says before and after. */
#ifndef MICRO_TOOL_TRAIN_REPORT_H
#define MICRO_TOOL_TRAIN_REPORT_H

#include <stdio.h>

#include "core/data/dataset.h"
#include "core/model/model.h"
#include "core/train/train.h"

struct train_report {
	const struct model *model; /* trained, with its facts */
	const struct dataset *dataset;
	const char *out; /* path of the model file */
	double seconds;	 /* the whole command */
};

/** train_report_data(path, dataset, out): what there is to learn from. */
void train_report_data(const char *path, const struct dataset *dataset, FILE *out);

/** train_report_start(path, dataset, options, encoder, out): what is trained on what. */
void train_report_start(const char *path, const struct dataset *dataset,
			const struct train_options *options, const struct encoder *encoder,
			FILE *out);

/** train_report_text(report, out, err): for people. */
enum status train_report_text(const struct train_report *report, FILE *out, struct err *err);

/** train_report_json(report, out, err): {"model","out","n_pairs","heldout","seconds"} */
enum status train_report_json(const struct train_report *report, FILE *out, struct err *err);

#endif
