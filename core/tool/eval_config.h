/* SPDX-License-Identifier: Apache-2.0 */
/* eval_config.h - the options of micro-model eval, for one model or to compare methods. */
#ifndef MICRO_TOOL_EVAL_CONFIG_H
#define MICRO_TOOL_EVAL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/base/help.h"
#include "core/compare/method.h"
#include "core/tool/number_list.h"

/* Strings point into argv or static memory; NULL: not given. */
struct eval_config {
	const char *data;	/* what one model is evaluated on, or what methods are trained on */
	const char *shots_text; /* NULL: not given */
	struct number_list shots; /* n 0: no personalization protocol */
	bool json;
	const char *encoder_url;

	/* one model */
	const char *model;
	int adapt; /* enum adapt_method */
	double tau;
	double drift;

	/* --compare */
	const char *compare; /* NULL: one model */
	struct compare_methods methods;
	const char *test;
	const char *route;
	const char *contexts;
	const char *encoder;
	const char *heads_curve_text;
	struct number_list heads_curve;
	const char *budgets_text;
	struct number_list budgets;
	const char *report;
	int64_t heads;
	int64_t epochs;
	int64_t seed, seeds;
	int64_t threads;
	bool quiet;
};

/**
 * eval_config_parse(argc, argv, config_out, err): errors: STATUS_USAGE naming the option that is
 * wrong, missing, or of the other way to use the command.
 */
enum status eval_config_parse(int argc, char **argv, struct eval_config *config_out,
			      struct err *err);

extern const struct help eval_config_help;

#endif
