/* SPDX-License-Identifier: Apache-2.0 */
/* route_config.h - the options of micro-model route. */
#ifndef MICRO_TOOL_ROUTE_CONFIG_H
#define MICRO_TOOL_ROUTE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/help.h"
#include "core/train/stage2.h"

/* Strings point into argv or static memory. */
struct route_config {
	const char *model;
	const char *encoder_url; /* NULL: not given */
	const char *data;
	const char *out;
	int method; /* enum stage2_method */
	bool closed_form;
	const char *tau;
	int64_t budget;
	int64_t epochs;
	int64_t batch;
	double learning_rate; /* NaN: by the data */
	double weight_decay;
	double holdout;
	int64_t seed;
	int64_t threads;
	bool json;
	bool quiet;
};

/** route_config_parse(argc, argv, config_out, options_out, err): options_out for stage2_run(). */
enum status route_config_parse(int argc, char **argv, struct route_config *config_out,
			       struct stage2_options *options_out, struct err *err);

extern const struct help route_config_help;

#endif
