/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <jansson.h>

#include "core/tool/eval_report.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/unit.h"

#define THIRD (1.0 / 3)

static char concise[] = "concise", formal[] = "formal \"tone\"";
static char *contexts[] = {concise, formal};
static struct eval_score scores[] = {{5, 0.75, 0.5}, {2, 0.5, THIRD}};
static const struct dataset dataset = {.n_pairs = 7, .n_users = 3, .context_names = contexts};
static const struct model model = {.id = "0123abcd"};
static struct eval_report report;
static struct capture capture;

static void setup(void)
{
	capture_start(&capture, false, false);
	report = (struct eval_report){
	    .data = "pairs.jsonl",
	    .model = &model,
	    .dataset = &dataset,
	    .result = {.overall = {7, THIRD, 0.25},
		       .contexts = scores,
		       .n_contexts = 2,
		       .context_mean = {7, 0.625, THIRD},
		       .shots = {{0, 3, 0.5, 0.75}, {4, 3, 1, 0.125}},
		       .n_shots = 2},
	};
}

static void teardown(void)
{
	capture_end(&capture);
}

/* ---- eval_report_text ---- */

START_TEST(tables_show_contexts_and_shots)
{
	ck_assert_int_eq(eval_report_text(&report, &capture.terminal, NULL), STATUS_OK);
	ck_assert_str_eq(capture_text(&capture), "pairs.jsonl: 7 pairs, 3 users; model 0123abcd\n"
						 "\n"
						 "context             pairs  accuracy     NLL\n"
						 "(all pairs)             7    0.3333  0.2500\n"
						 "concise                 5    0.7500  0.5000\n"
						 "formal \"tone\"           2    0.5000  0.3333\n"
						 "(mean of contexts)      7    0.6250  0.3333\n"
						 "\n"
						 "feedbacks  users  accuracy     NLL\n"
						 "        0      3    0.5000  0.7500\n"
						 "        4      3    1.0000  0.1250\n");
}
END_TEST

START_TEST(without_contexts_and_shots_one_row_remains)
{
	report.result.n_contexts = 0;
	report.result.n_shots = 0;
	ck_assert_int_eq(eval_report_text(&report, &capture.terminal, NULL), STATUS_OK);
	ck_assert_str_eq(capture_text(&capture), "pairs.jsonl: 7 pairs, 3 users; model 0123abcd\n"
						 "\n"
						 "context      pairs  accuracy     NLL\n"
						 "(all pairs)      7    0.3333  0.2500\n");
}
END_TEST

START_TEST(users_left_out_are_counted)
{
	report.result.users_left_out = 12;
	ck_assert_int_eq(eval_report_text(&report, &capture.terminal, NULL), STATUS_OK);
	ck_assert_ptr_nonnull(
	    strstr(capture_text(&capture), "\n12 users left out: no pair beyond the first 4\n"));
}
END_TEST

START_TEST(terminal_gets_bars_from_half_to_one)
{
	const char *text;

	report.result.shots[0].accuracy = 0.4; /* below the scale */
	report.result.shots[1].accuracy = 0.75;
	report.result.shots[2] = (struct eval_shot){8, 3, 1, 0};
	report.result.n_shots = 3;
	capture.terminal.interactive = true;
	ck_assert_int_eq(eval_report_text(&report, &capture.terminal, NULL), STATUS_OK);
	text = capture_text(&capture);
	ck_assert_ptr_nonnull(strstr(text, "0.4000  0.7500  ..............................\n"));
	ck_assert_ptr_nonnull(strstr(text, "0.7500  0.1250  ###############...............\n"));
	ck_assert_ptr_nonnull(strstr(text, "1.0000  0.0000  ##############################\n"));
}
END_TEST

/* ---- eval_report_json ---- */

static json_t *print_and_parse(void)
{
	json_t *object;

	ck_assert_int_eq(eval_report_json(&report, capture.terminal.out, NULL), STATUS_OK);
	object = json_loads(capture_text(&capture), JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(object);
	return object;
}

START_TEST(json_is_one_line_with_unrounded_numbers)
{
	json_t *wanted = json_pack(
	    "{s:i, s:f, s:f, s:[{s:i, s:i, s:f, s:f}, {s:i, s:i, s:f, s:f}],"
	    " s:[{s:s, s:i, s:f, s:f}, {s:s, s:i, s:f, s:f}],"
	    " s:{s:i, s:f, s:f}}",
	    "n_pairs", 7, "accuracy", THIRD, "nll", 0.25, "shots", "shots", 0, "users", 3,
	    "accuracy", 0.5, "nll", 0.75, "shots", 4, "users", 3, "accuracy", 1.0, "nll", 0.125,
	    "contexts", "context", "concise", "n_pairs", 5, "accuracy", 0.75, "nll", 0.5, "context",
	    "formal \"tone\"", "n_pairs", 2, "accuracy", 0.5, "nll", THIRD, "context_mean",
	    "n_contexts", 2, "accuracy", 0.625, "nll", THIRD);
	json_t *object = print_and_parse();

	ck_assert(json_equal(object, wanted));
	ck_assert_ptr_eq(strchr(capture.text, '\n'), capture.text + capture.size - 1);
	json_decref(object);
	json_decref(wanted);
}
END_TEST

START_TEST(json_has_empty_lists_and_no_mean_when_there_is_nothing_to_list)
{
	json_t *object;

	report.result.n_contexts = 0;
	report.result.n_shots = 0;
	object = print_and_parse();
	ck_assert_uint_eq(json_object_size(object), 6);
	ck_assert(json_is_null(json_object_get(object, "context_mean")));
	ck_assert(json_is_array(json_object_get(object, "shots")));
	ck_assert_uint_eq(json_array_size(json_object_get(object, "shots")), 0);
	ck_assert(json_is_array(json_object_get(object, "contexts")));
	ck_assert_uint_eq(json_array_size(json_object_get(object, "contexts")), 0);
	json_decref(object);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("eval_report");
	TCase *tcase = tcase_create("eval_report");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, tables_show_contexts_and_shots);
	tcase_add_test(tcase, without_contexts_and_shots_one_row_remains);
	tcase_add_test(tcase, users_left_out_are_counted);
	tcase_add_test(tcase, terminal_gets_bars_from_half_to_one);
	tcase_add_test(tcase, json_is_one_line_with_unrounded_numbers);
	tcase_add_test(tcase, json_has_empty_lists_and_no_mean_when_there_is_nothing_to_list);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
