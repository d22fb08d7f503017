/* SPDX-License-Identifier: Apache-2.0 */
/* train_config.h - the options of micro-model train. */
#ifndef MICRO_TOOL_TRAIN_CONFIG_H
#define MICRO_TOOL_TRAIN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/help.h"
#include "core/train/train.h"

/* Strings point into argv or static memory. */
struct train_config {
	const char *data;
	const char *out;
	const char *encoder;
	const char *encoder_url; /* NULL: not given, as those that follow */
	const char *template_phi;
	const char *template_psi;
	int objective; /* enum objective */
	int64_t heads;
	int router; /* enum router_kind */
	int64_t hidden;
	int64_t epochs;
	int64_t batch;
	double learning_rate;
	double weight_decay;
	double alpha;
	double init_scale; /* NaN: by heads */
	double anneal;
	double holdout;
	int64_t seed;
	int64_t threads;
	bool json;
	bool quiet;
};

/**
 * train_config_parse(argc, argv, objective, config_out, err): options of the training
 * itself that are not given are those of train_defaults(objective). Which objective
 * that is may be known only when the data has been read: parse with
 * OBJECTIVE_AUTO before, to refuse what is wrong, and again afterwards.
 */
enum status train_config_parse(int argc, char **argv, enum objective objective,
			       struct train_config *config_out, struct err *err);

/** train_config_options(config, objective, options_out): for train_run(). */
void train_config_options(const struct train_config *config, enum objective objective,
			  struct train_options *options_out);

extern const struct help train_config_help;

#endif
