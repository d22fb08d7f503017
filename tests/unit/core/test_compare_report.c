/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <uniwidth.h>

#include "core/tool/compare_report.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/core/comparison_fixture.h"
#include "tests/unit/unit.h"

static char path[] = "pairs.jsonl", bt[] = "bt", panel[] = "panel", none[] = "none",
	    hedge[] = "hedge", text[] = "A sentence.", encoder[] = "hash:64", kind[] = "kind",
	    libraries[] = "libm 1", head0[] = "head 0", head1[] = "head 1";
static char *context_names[] = {kind}, *head_names[] = {head0, head1};
static size_t points[] = {2, 16};
static struct compare_score curve[] = {{{0.5, 0.01}, {0.6, 0.02}}, {{0.75, 0}, {0.5, 1.5}}};
static struct compare_score bt_shots[] = {{{0.75, 0.001}, {0.5, 0.25}},
					  {{0.75, 0.001}, {0.5, 0.25}}};
static struct compare_score panel_shots[] = {{{0.75, 0.002}, {0.625, 0}},
					     {{0.8125, 0.0125}, {0.375, 1.5}}};
static struct compare_score bt_contexts[] = {{{0.5, 0}, {0.6875, 0}}};
static struct compare_score panel_contexts[] = {{{1.0 / 3, 0.5}, {0.25, 0.125}}};
static double weights[] = {0.25, 0.75};
static struct compare_result results[2];
static struct compare_report report;
static struct capture capture;

static void setup(void)
{
	results[0] = (struct compare_result){
	    .name = bt,
	    .description = text,
	    .objective = bt,
	    .adapt = none,
	    .n_heads = 1,
	    .seconds = {0.5, 0},
	    .overall = {{0.75, 0}, {0.5, 0}},
	    .shots = bt_shots,
	    .contexts = bt_contexts,
	    .context_mean = {{0.5, 0}, {0.6875, 0}},
	};
	results[1] = (struct compare_result){
	    .name = panel,
	    .description = text,
	    .objective = panel,
	    .adapt = hedge,
	    .n_heads = 16,
	    .seconds = {12.25, 1},
	    .overall = {{0.75, 0}, {0.5, 0}},
	    .shots = panel_shots,
	    .contexts = panel_contexts,
	    .context_mean = {{1.0 / 3, 0.5}, {0.25, 0.125}},
	};
	report = (struct compare_report){
	    .comparison =
		{
		    .train_path = path,
		    .test_path = path,
		    .n_train_pairs = 100,
		    .n_train_users = 10,
		    .n_test_pairs = 50,
		    .n_test_users = 5,
		    .train_sha256 = "ab",
		    .encoder_spec = encoder,
		    .libraries = libraries,
		    .n_heads = 16,
		    .first_seed = 3,
		    .n_seeds = 2,
		    .n_shots = 2,
		    .shots = {0, 8},
		    .n_contexts = 1,
		    .context_names = context_names,
		    .n_results = 2,
		    .results = results,
		},
	};
	capture_start(&capture, false, false);
}

static void teardown(void)
{
	capture_end(&capture);
}

static void with_curves_and_maps(void)
{
	report.comparison.heads_curve = (struct compare_curve){panel, 2, points, curve};
	report.comparison.budget_curve = (struct compare_curve){panel, 2, points, curve};
	report.comparison.router_map =
	    (struct compare_map){panel, 1, 2, context_names, head_names, weights};
	report.comparison.head_map =
	    (struct compare_map){panel, 1, 2, context_names, head_names, weights};
}

static const char *print_text(void)
{
	ck_assert_int_eq(compare_report_text(&report, &capture.terminal, NULL), STATUS_OK);
	return capture_text(&capture);
}

/* ---- for people ---- */

START_TEST(tables_show_means_deviations_and_the_best)
{
	ck_assert_str_eq(print_text(), "trained on pairs.jsonl: 100 pairs, 10 users\n"
				       "tested on pairs.jsonl: 50 pairs, 5 users scored\n"
				       "encoder hash:64, seeds 3 to 4: mean ± standard deviation; "
				       "* the best\n"
				       "\n"
				       "Accuracy after m feedbacks\n"
				       "method        m = 0        m = 8\n"
				       "bt      *0.750±.001   0.750±.001\n"
				       "panel   *0.750±.002  *0.812±.013\n"
				       "\n"
				       "NLL after m feedbacks\n"
				       "method        m = 0         m = 8\n"
				       "bt      *0.500±.250    0.500±.250\n"
				       "panel    0.625±.000  *0.375±1.500\n"
				       "\n"
				       "method  trained as  adapts by  heads  training     contexts"
				       "    their NLL\n"
				       "bt      bt          none           1     0.5 s  *0.500±.000"
				       "   0.688±.000\n"
				       "panel   panel       hedge         16    12.2 s   0.333±.500"
				       "  *0.250±.125\n"
				       "contexts: mean over 1, by the router alone\n");
}
END_TEST

START_TEST(a_single_seed_has_no_deviations)
{
	const char *printed;

	report.comparison.n_seeds = 1;
	report.comparison.n_contexts = 0;
	printed = print_text();
	ck_assert_ptr_nonnull(strstr(printed, "encoder hash:64, seed 3; * the best\n"));
	ck_assert_ptr_nonnull(strstr(printed, "panel   *0.7500  *0.8125\n"));
	ck_assert_ptr_nonnull(strstr(printed, "panel   panel       hedge         16    12.2 s\n"));
	ck_assert_ptr_null(strstr(printed, "contexts"));
}
END_TEST

START_TEST(a_single_method_is_not_called_the_best)
{
	report.comparison.n_results = 1;
	ck_assert_ptr_nonnull(strstr(print_text(), "bt      0.750±.001  0.750±.001\n"));
}
END_TEST

START_TEST(curves_and_what_is_left_out_are_told)
{
	const char *printed;

	with_curves_and_maps();
	report.comparison.route_path = path;
	report.n_left_out = 1;
	report.left_out[0] = (struct compare_left_out){"drm", "drm: too few pairs"};
	report.shots_missed = 8;
	printed = print_text();
	ck_assert_ptr_nonnull(strstr(printed,
				     "\nleft out: drm: too few pairs\n"
				     "left out: feedback, because no user has more than 8 pairs "
				     "(--shots)\n"));
	ck_assert_ptr_nonnull(strstr(printed, "; after stage 2 unless static\n"));
	ck_assert_ptr_nonnull(strstr(printed, "\npanel: after 8 feedbacks\n"
					      "heads    accuracy          NLL\n"
					      "    2  0.500±.010   0.600±.020\n"
					      "   16  0.750±.000  0.500±1.500\n"));
	ck_assert_ptr_nonnull(strstr(printed,
				     "\npanel: contexts, by the router alone after stage 2\n"
				     "pairs    accuracy          NLL\n"));
}
END_TEST

/* Windows of any width: no line is wider, whatever the number of columns. */
START_TEST(tables_fit_the_window)
{
	static struct comparison_fixture many;
	const struct fixture_size size = {8, 6, 4, 3, 3};
	const char *line;

	fixture_make(&many, &size);
	report.comparison = many.comparison;
	for (size_t j = 0; j < 12; j++)
		report.comparison.shots[j] = j;
	report.comparison.n_shots = 12;
	for (size_t i = 0; i < 8; i++) {
		many.results[i].shots = calloc(12, sizeof(struct compare_score));
		ck_assert_ptr_nonnull(many.results[i].shots);
	}
	for (line = print_text(); *line != '\0'; line += strcspn(line, "\n") + 1) {
		size_t len = strcspn(line, "\n");

		ck_assert_msg(u8_width((const uint8_t *)line, len, "UTF-8") <= 80, "%.*s", (int)len,
			      line);
	}
	for (size_t i = 0; i < 8; i++)
		free(many.results[i].shots);
}
END_TEST

START_TEST(titles_are_bold_only_in_colour)
{
	capture_end(&capture);
	capture_start(&capture, true, true);
	ck_assert_ptr_nonnull(strstr(print_text(), "\033[1m"));
	capture.terminal.colour = false;
	ck_assert_ptr_null(strchr(print_text(), '\033'));
}
END_TEST

/* ---- for machines ---- */

static json_t *print_json(void)
{
	json_t *object;
	const char *printed;

	ck_assert_int_eq(compare_report_json(&report, capture.terminal.out, NULL), STATUS_OK);
	printed = capture_text(&capture);
	ck_assert_ptr_eq(strchr(printed, '\n'), printed + strlen(printed) - 1);
	object = json_loads(printed, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(object);
	return object;
}

static json_t *spread(double mean, double sd)
{
	return json_pack("{s:f, s:f}", "mean", mean, "sd", sd);
}

static void assert_equal(json_t *got, json_t *wanted)
{
	char *got_text = json_dumps(got, JSON_SORT_KEYS | JSON_ENCODE_ANY);

	ck_assert_ptr_nonnull(wanted);
	ck_assert_msg(json_equal(got, wanted), "%s", got_text);
	free(got_text);
	json_decref(wanted);
}

START_TEST(json_has_every_figure_unrounded)
{
	json_t *object = print_json(), *methods = json_object_get(object, "methods");

	ck_assert_uint_eq(json_array_size(methods), 2);
	assert_equal(
	    json_array_get(methods, 1),
	    json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:{s:o, s:o},"
		      " s:[{s:i, s:o, s:o}, {s:i, s:o, s:o}], s:[{s:s, s:o, s:o}], s:{s:o, s:o}}",
		      "name", "panel", "description", text, "objective", "panel", "adapt", "hedge",
		      "n_heads", 16, "seconds", spread(12.25, 1), "overall", "accuracy",
		      spread(0.75, 0), "nll", spread(0.5, 0), "shots", "shots", 0, "accuracy",
		      spread(0.75, 0.002), "nll", spread(0.625, 0), "shots", 8, "accuracy",
		      spread(0.8125, 0.0125), "nll", spread(0.375, 1.5), "contexts", "context",
		      "kind", "accuracy", spread(1.0 / 3, 0.5), "nll", spread(0.25, 0.125),
		      "context_mean", "accuracy", spread(1.0 / 3, 0.5), "nll",
		      spread(0.25, 0.125)));
	assert_equal(
	    json_object_get(object, "train"),
	    json_pack("{s:s, s:i, s:i}", "path", "pairs.jsonl", "n_pairs", 100, "n_users", 10));
	assert_equal(
	    json_object_get(object, "test"),
	    json_pack("{s:s, s:i, s:i}", "path", "pairs.jsonl", "n_pairs", 50, "n_users", 5));
	assert_equal(json_object_get(object, "first_seed"), json_integer(3));
	assert_equal(json_object_get(object, "n_seeds"), json_integer(2));
	assert_equal(json_object_get(object, "encoder"), json_string("hash:64"));
	assert_equal(json_object_get(object, "sha256"),
		     json_pack("{s:s, s:n, s:n, s:n}", "train", "ab", "test", "route", "contexts"));
	assert_equal(json_object_get(object, "options"),
		     json_pack("{s:i, s:n}", "heads", 16, "epochs"));
	assert_equal(json_object_get(object, "version"), json_string(MICRO_VERSION));
	assert_equal(json_object_get(object, "libraries"), json_string("libm 1"));
	json_decref(object);
}
END_TEST

START_TEST(json_has_null_for_what_is_not_there)
{
	static const char *const keys[] = {"route",	  "contexts",	  "shots_missed",
					   "heads_curve", "budget_curve", "router_map",
					   "head_map"};
	json_t *object;

	report.comparison.n_contexts = 0;
	object = print_json();
	ck_assert_uint_eq(json_object_size(object), 18);
	for (size_t i = 0; i < LENGTH(keys); i++)
		ck_assert_msg(json_is_null(json_object_get(object, keys[i])), "%s", keys[i]);
	ck_assert(json_is_null(json_object_get(
	    json_array_get(json_object_get(object, "methods"), 0), "context_mean")));
	ck_assert_uint_eq(json_array_size(json_object_get(object, "left_out")), 0);
	json_decref(object);
}
END_TEST

START_TEST(json_has_curves_and_maps)
{
	json_t *object;

	with_curves_and_maps();
	report.n_left_out = 1;
	report.left_out[0] = (struct compare_left_out){"drm", "drm: too few pairs"};
	object = print_json();
	assert_equal(json_object_get(object, "heads_curve"),
		     json_pack("{s:s, s:[{s:i, s:o, s:o}, {s:i, s:o, s:o}]}", "method", "panel",
			       "points", "n_heads", 2, "accuracy", spread(0.5, 0.01), "nll",
			       spread(0.6, 0.02), "n_heads", 16, "accuracy", spread(0.75, 0), "nll",
			       spread(0.5, 1.5)));
	assert_equal(
	    json_array_get(json_object_get(json_object_get(object, "budget_curve"), "points"), 0),
	    json_pack("{s:i, s:o, s:o}", "n_pairs", 2, "accuracy", spread(0.5, 0.01), "nll",
		      spread(0.6, 0.02)));
	assert_equal(json_object_get(object, "router_map"),
		     json_pack("{s:s, s:[s], s:[s,s], s:[[f,f]]}", "method", "panel", "prompts",
			       "kind", "heads", "head 0", "head 1", "weights", 0.25, 0.75));
	assert_equal(json_object_get(object, "head_map"),
		     json_pack("{s:s, s:[s], s:[s,s], s:[[f,f]]}", "method", "panel", "contexts",
			       "kind", "heads", "head 0", "head 1", "accuracy", 0.25, 0.75));
	assert_equal(json_object_get(object, "left_out"),
		     json_pack("[{s:s, s:s}]", "name", "drm", "reason", "drm: too few pairs"));
	json_decref(object);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compare_report");
	TCase *people = tcase_create("for people"), *machines = tcase_create("for machines");

	tcase_add_checked_fixture(people, setup, teardown);
	tcase_add_test(people, tables_show_means_deviations_and_the_best);
	tcase_add_test(people, a_single_seed_has_no_deviations);
	tcase_add_test(people, a_single_method_is_not_called_the_best);
	tcase_add_test(people, curves_and_what_is_left_out_are_told);
	tcase_add_test(people, tables_fit_the_window);
	tcase_add_test(people, titles_are_bold_only_in_colour);
	suite_add_tcase(suite, people);
	tcase_add_checked_fixture(machines, setup, teardown);
	tcase_add_test(machines, json_has_every_figure_unrounded);
	tcase_add_test(machines, json_has_null_for_what_is_not_there);
	tcase_add_test(machines, json_has_curves_and_maps);
	suite_add_tcase(suite, machines);
	return unit_run(suite);
}
