/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/tool/train_config.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/unit.h"

#define MAX_ARGUMENTS 6

/* Parse the required options and these arguments up to the first NULL. */
static enum status parse(const char *const arguments[MAX_ARGUMENTS], enum objective objective,
			 struct train_config *config, struct err *err)
{
	char *argv[MAX_ARGUMENTS + 6] = {(char *)"train", (char *)"--data", (char *)"d",
					 (char *)"--out", (char *)"o"};
	int argc = 5;

	for (size_t i = 0; i < MAX_ARGUMENTS && arguments[i] != NULL; i++)
		argv[argc++] = (char *)arguments[i];
	return train_config_parse(argc, argv, objective, config, err);
}

static void assert_same_options(const struct train_options *a, const struct train_options *b)
{
	ck_assert_int_eq(a->objective, b->objective);
	ck_assert_uint_eq(a->n_heads, b->n_heads);
	ck_assert_int_eq(a->router, b->router);
	ck_assert_uint_eq(a->n_hidden, b->n_hidden);
	ck_assert_uint_eq(a->epochs, b->epochs);
	ck_assert_uint_eq(a->batch, b->batch);
	ck_assert(a->learning_rate == b->learning_rate);
	ck_assert(a->weight_decay == b->weight_decay);
	ck_assert(a->alpha == b->alpha);
	ck_assert(a->init_scale == b->init_scale || (isnan(a->init_scale) && isnan(b->init_scale)));
	ck_assert(a->anneal == b->anneal);
	ck_assert(a->holdout == b->holdout);
	ck_assert_uint_eq(a->seed, b->seed);
}

/* ---- train_config_parse, train_config_options ---- */

START_TEST(without_options_training_uses_the_objectives_defaults)
{
	enum objective objective = (enum objective)_i;
	struct train_options defaults, options;
	struct train_config config;

	train_defaults(objective, &defaults);
	ck_assert_int_eq(parse((const char *[MAX_ARGUMENTS]){NULL}, objective, &config, NULL),
			 STATUS_OK);
	train_config_options(&config, objective, &options);
	assert_same_options(&options, &defaults);
	ck_assert_str_eq(config.data, "d");
	ck_assert_str_eq(config.out, "o");
	/* the data may say */
	ck_assert_ptr_null(config.encoder);
	ck_assert_ptr_null(config.template_phi);
	ck_assert_ptr_null(config.template_psi);
	ck_assert_int_eq(config.objective, OBJECTIVE_AUTO);
	ck_assert_int_eq(config.threads, 1);
	ck_assert(!config.json && !config.quiet);
}
END_TEST

START_TEST(what_is_given_beats_the_objectives_default)
{
	struct train_options defaults, options;
	struct train_config config;

	train_defaults(OBJECTIVE_PANEL, &defaults);
	ck_assert_int_eq(parse((const char *[MAX_ARGUMENTS]){"--epochs=3", "--init-scale", "0.5",
							     "--router=static"},
			       OBJECTIVE_PANEL, &config, NULL),
			 STATUS_OK);
	train_config_options(&config, OBJECTIVE_PANEL, &options);
	defaults.epochs = 3;
	defaults.init_scale = 0.5;
	defaults.router = ROUTER_STATIC;
	assert_same_options(&options, &defaults);
}
END_TEST

START_TEST(objectives_and_routers_have_their_names)
{
	struct train_config config;

	for (int i = 0; i < N_OBJECTIVES; i++) {
		const char *arguments[MAX_ARGUMENTS] = {"--objective",
							objective_name((enum objective)i)};

		ck_assert_int_eq(parse(arguments, OBJECTIVE_AUTO, &config, NULL), STATUS_OK);
		ck_assert_int_eq(config.objective, i);
	}
	for (int i = 0; i < N_ROUTER_KINDS; i++) {
		const char *arguments[MAX_ARGUMENTS] = {"--router",
							router_kind_name((enum router_kind)i)};

		ck_assert_int_eq(parse(arguments, OBJECTIVE_AUTO, &config, NULL), STATUS_OK);
		ck_assert_int_eq(config.router, i);
	}
}
END_TEST

static const struct {
	const char *arguments[MAX_ARGUMENTS];
	const char *message;
} faults[] = {
    {{"--heads", "0"}, "--heads 0: want a whole number, 1 to 1024"},
    {{"--holdout", "1"}, "--holdout 1: want a number, 0 to 0.9"},
    {{"--seed", "-1"}, "--seed -1: want a whole number, 0 to 9007199254740991"},
    {{"--router", "deep"}, "--router deep: want static, linear or mlp"},
    {{"--objective", "em"},
     "--objective em: want auto, bt, static, ensemble, drm, "
     "attributes, lore, micro or panel"},
    {{"--head", "3"}, "unknown option --head, the nearest one is --heads"},
    {{"--template-phi", "\xff"}, "--template-phi: want valid UTF-8"},
    {{"--template-psi", "\xff"}, "--template-psi: want valid UTF-8"},
    {{"--json", "--out", "\xff"}, "--out: want valid UTF-8"},
};

START_TEST(fault_is_refused_with_what_would_be_right)
{
	struct train_config config;
	struct err err;

	ck_assert_int_eq(parse(faults[_i].arguments, OBJECTIVE_AUTO, &config, &err), STATUS_USAGE);
	ck_assert_str_eq(err.msg, faults[_i].message);
}
END_TEST

START_TEST(path_need_not_be_text_unless_it_is_printed)
{
	struct train_config config;

	ck_assert_int_eq(
	    parse((const char *[MAX_ARGUMENTS]){"--out", "\xff"}, OBJECTIVE_AUTO, &config, NULL),
	    STATUS_OK);
}
END_TEST

/* ---- train_config_help ---- */

/* The line of text that begins with this. */
static const char *line_of(const char *text, const char *begin, char *out, size_t size)
{
	char marker[64];
	const char *line;

	snprintf(marker, sizeof(marker), "\n%s", begin);
	line = strstr(text, marker);
	ck_assert_msg(line != NULL, "no line %s in %s", begin, text);
	snprintf(out, size, "%.*s", (int)strcspn(line + 1, "\n"), line + 1);
	return out;
}

START_TEST(help_lists_what_each_objective_is_and_begins_with)
{
	struct capture capture;
	char line[128], want[128];
	const char *text;

	capture_start(&capture, false, false);
	help_print(&train_config_help, capture.terminal.out);
	text = capture_text(&capture);
	for (int o = 0; o < N_OBJECTIVES; o++) {
		snprintf(want, sizeof(want), "  %-12s%s", objective_name((enum objective)o),
			 objective_summary((enum objective)o));
		line_of(text, want, line, sizeof(line));
		ck_assert_str_eq(line, want);
	}
	ck_assert_str_eq(
	    line_of(text, "heads  ", line, sizeof(line)),
	    "heads                1     16       16     16   contexts     16     16     "
	    "16");
	ck_assert_str_eq(line_of(text, "router  ", line, sizeof(line)),
			 "router          static static   static static     linear static    mlp "
			 "linear");
	ck_assert_str_eq(line_of(text, "for all:", line, sizeof(line)),
			 "for all:  hidden 128  alpha 0.5  anneal 4  holdout 0.05  seed 1");
	for (; *text != '\0'; text += strcspn(text, "\n") + 1)
		ck_assert_uint_le(strcspn(text, "\n"), 80);
	capture_end(&capture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("train_config");
	TCase *tcase = tcase_create("train_config");

	tcase_add_loop_test(tcase, without_options_training_uses_the_objectives_defaults, 0,
			    N_OBJECTIVES);
	tcase_add_test(tcase, what_is_given_beats_the_objectives_default);
	tcase_add_test(tcase, objectives_and_routers_have_their_names);
	tcase_add_loop_test(tcase, fault_is_refused_with_what_would_be_right, 0,
			    (int)LENGTH(faults));
	tcase_add_test(tcase, path_need_not_be_text_unless_it_is_printed);
	tcase_add_test(tcase, help_lists_what_each_objective_is_and_begins_with);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
