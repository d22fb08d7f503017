/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <jansson.h>

#include "core/tool/route_report.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

#define HELDOUT                                                                                    \
	"{\"n_pairs\":8,\"before\":{\"accuracy\":0.5,\"nll\":0.75},"                               \
	"\"iterate\":{\"tau\":1,\"accuracy\":0.75,\"nll\":0.5},"                                   \
	"\"closed-form\":{\"tau\":4,\"accuracy\":0.75,\"nll\":0.375}}"

static struct capture capture;
static struct progress progress;
static struct model model;
static struct stage2_result result;
static struct route_report report;

static void setup(void)
{
	capture_start(&capture, false, false);
	pairs_model(3, ROUTER_LINEAR, 0, &model);
	memcpy(model.id, "0123abcd", 9);
	result = (struct stage2_result){
	    .n_pairs = 8,
	    .n_groups = 2,
	    .trials = {{STAGE2_ITERATE, 0.1, {8, 0.625, 0.625}},
		       {STAGE2_ITERATE, 1, {8, 0.75, 0.5}},
		       {STAGE2_CLOSED_FORM, 4, {8, 0.75, 0.375}}},
	    .n_trials = 3,
	    .chosen = 2,
	    .before = {8, 0.5, 0.75},
	};
	report = (struct route_report){
	    .model = &model, .result = &result, .out = "m.safetensors", .seconds = 1.25};
}

static void teardown(void)
{
	model_free(&model);
	capture_end(&capture);
}

START_TEST(start_says_what_is_adapted_to_what)
{
	struct dataset dataset;

	pairs_two_tastes(4, 2, 1, &dataset);
	pairs_set_contexts(&dataset);
	route_report_start("pairs.jsonl", &dataset, &model, capture.terminal.out);
	ck_assert_str_eq(capture_text(&capture),
			 "pairs.jsonl: 8 pairs, 4 users, 2 contexts, 16 responses, 2 prompts\n"
			 "3 heads, linear router, encoder none:4, model 0123abcd\n");
	dataset_free(&dataset);
}
END_TEST

static const struct {
	enum progress_form form;
	const char *text;
} forms[] = {
    {PROGRESS_NONE, ""},
    {PROGRESS_PEOPLE, "iterate      tau 0.1    held out: accuracy 0.6250, NLL 0.6250\n"},
    {PROGRESS_JSON, "{\"method\":\"iterate\",\"tau\":0.10000000000000001,\"heldout\":"
		    "{\"n_pairs\":8,\"accuracy\":0.625,\"nll\":0.625}}\n"},
};

START_TEST(trial_is_one_line)
{
	progress_start(&progress, &capture.terminal, forms[_i].form, 100);
	route_report_trial(&progress, &result.trials[0]);
	ck_assert_str_eq(capture_text(&capture), forms[_i].text);
}
END_TEST

START_TEST(text_says_who_won_and_by_how_much)
{
	ck_assert_int_eq(route_report_text(&report, &capture.terminal, NULL), STATUS_OK);
	ck_assert_str_eq(
	    capture_text(&capture),
	    "held out     tau  accuracy     NLL\n"
	    "before              0.5000  0.7500\n"
	    "iterate        1    0.7500  0.5000\n"
	    "closed-form    4    0.7500  0.3750\n"
	    "closed-form, tau 4: NLL 0.1250 below iterate's, 0.3750 below the router's before\n"
	    "m.safetensors: model 0123abcd; 8 pairs, 2 contexts; 1.2 s\n");
}
END_TEST

START_TEST(text_says_above_of_what_is_worse)
{
	result.trials[2].heldout.nll = 0.875;
	ck_assert_int_eq(route_report_text(&report, &capture.terminal, NULL), STATUS_OK);
	ck_assert_ptr_nonnull(strstr(capture_text(&capture),
				     "\nclosed-form, tau 4: NLL 0.3750 above iterate's, 0.1250 "
				     "above the router's before\nm.safetensors: model "));
}
END_TEST

START_TEST(text_of_a_kept_router_names_no_file)
{
	result.trials[0].heldout.nll = result.trials[1].heldout.nll = 0.875;
	result.trials[2].heldout.nll = 0.8125;
	result.kept = true;
	ck_assert_int_eq(route_report_text(&report, &capture.terminal, NULL), STATUS_OK);
	ck_assert_ptr_nonnull(strstr(capture_text(&capture),
				     "\nclosed-form, tau 4: NLL 0.0625 below iterate's, 0.0625 "
				     "above the router's before\n"
				     "kept: the router as it is; 8 pairs, 2 contexts; 1.2 s\n"));
	ck_assert_ptr_null(strstr(capture.text, "m.safetensors"));
}
END_TEST

START_TEST(text_of_one_method_has_no_loser)
{
	result.n_trials = 2;
	result.chosen = 1;
	ck_assert_int_eq(route_report_text(&report, &capture.terminal, NULL), STATUS_OK);
	ck_assert_ptr_nonnull(strstr(capture_text(&capture),
				     "\niterate, tau 1: NLL 0.2500 below the router's before\n"));
}
END_TEST

START_TEST(text_without_held_out_pairs_has_no_figures)
{
	result.before = (struct eval_score){0};
	ck_assert_int_eq(route_report_text(&report, &capture.terminal, NULL), STATUS_OK);
	ck_assert_str_eq(capture_text(&capture),
			 "closed-form, tau 4\n"
			 "m.safetensors: model 0123abcd; 8 pairs, 2 contexts; 1.2 s\n");
}
END_TEST

START_TEST(json_is_one_line)
{
	json_t *wanted = json_pack("{s:s, s:s, s:b, s:i, s:i, s:s, s:f, s:o, s:f}", "model",
				   "0123abcd", "out", "m.safetensors", "kept", false, "n_pairs", 8,
				   "n_contexts", 2, "method", "closed-form", "tau", 4.0, "heldout",
				   json_loads(HELDOUT, 0, NULL), "seconds", 1.25);
	json_t *object;

	ck_assert_int_eq(route_report_json(&report, capture.terminal.out, NULL), STATUS_OK);
	object = json_loads(capture_text(&capture), JSON_REJECT_DUPLICATES, NULL);
	ck_assert(json_equal(object, wanted));
	ck_assert_ptr_eq(strchr(capture.text, '\n'), capture.text + capture.size - 1);
	json_decref(object);
	json_decref(wanted);
}
END_TEST

START_TEST(json_of_a_kept_router_has_no_file)
{
	result.kept = true;
	ck_assert_int_eq(route_report_json(&report, capture.terminal.out, NULL), STATUS_OK);
	ck_assert_ptr_nonnull(strstr(capture_text(&capture), "\"out\":null,\"kept\":true,"));
}
END_TEST

START_TEST(json_without_held_out_pairs_is_null)
{
	result.before = (struct eval_score){0};
	ck_assert_int_eq(route_report_json(&report, capture.terminal.out, NULL), STATUS_OK);
	ck_assert_ptr_nonnull(strstr(capture_text(&capture), "\"heldout\":null"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("route_report");
	TCase *tcase = tcase_create("route_report");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, start_says_what_is_adapted_to_what);
	tcase_add_loop_test(tcase, trial_is_one_line, 0, (int)LENGTH(forms));
	tcase_add_test(tcase, text_says_who_won_and_by_how_much);
	tcase_add_test(tcase, text_says_above_of_what_is_worse);
	tcase_add_test(tcase, text_of_a_kept_router_names_no_file);
	tcase_add_test(tcase, text_of_one_method_has_no_loser);
	tcase_add_test(tcase, text_without_held_out_pairs_has_no_figures);
	tcase_add_test(tcase, json_is_one_line);
	tcase_add_test(tcase, json_of_a_kept_router_has_no_file);
	tcase_add_test(tcase, json_without_held_out_pairs_is_null);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
