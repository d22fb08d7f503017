/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method.h - what is compared: an objective of training with a way to adapt to a user.
 * The names of people's methods stand for such pairs.
 */
#ifndef MICRO_COMPARE_METHOD_H
#define MICRO_COMPARE_METHOD_H

#include <stdbool.h>

#include "core/base/err.h"
#include "core/eval/adapt.h"
#include "core/train/train.h"

#define COMPARE_MAX_METHODS 32
#define COMPARE_METHOD_NAME 32 /* bytes with NUL */

struct compare_method {
	char name[COMPARE_METHOD_NAME];
	enum objective objective;
	enum adapt_method adapt;
};

struct compare_methods {
	struct compare_method method[COMPARE_MAX_METHODS];
	size_t n;
	bool all; /* all there are, as far as the data allows */
};

/**
 * compare_methods_parse(list, methods_out, err): "bt,micro,panel+lore": a method's name or
 * "objective+adapt"; "all" stands for every method by its name. STATUS_INVALID_VALUE names
 * what is not known or is there twice.
 */
enum status compare_methods_parse(const char *list, struct compare_methods *methods_out,
				  struct err *err);

/** compare_method_describe(method, out, size): a sentence for people. */
void compare_method_describe(const struct compare_method *method, char *out, size_t size);

/**
 * compare_method_options(method, train, n_heads, epochs, options_out, err): how it is trained:
 * its objective's defaults with n_heads where their number is free and epochs unless 0.
 * Errors: train_settle()'s, naming the method.
 */
enum status compare_method_options(const struct compare_method *method, const struct dataset *train,
				   size_t n_heads, size_t epochs, struct train_options *options_out,
				   struct err *err);

#endif
