/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <jansson.h>

#include "core/tool/diagnose_progress.h"
#include "core/tool/diagnose_report.h"
#include "tests/unit/core/capture_fixture.h"
#include "tests/unit/unit.h"

static struct capture capture;

static void setup(void)
{
	capture_start(&capture, false, false);
}

static void teardown(void)
{
	capture_end(&capture);
}

/* A diagnosis by user with two points of the curve and one number of feedbacks. */
static struct diagnose_report full_report(void)
{
	struct diagnose_report report = {.data = "d", .encoder = "none:4", .seed = 7};
	struct diagnosis *d = &report.diagnosis;

	report.repeats = (struct repeats){
	    .state = REPEATS_FOUND,
	    .n_distinct = 10,
	    .n_shared = 4,
	    .n_judgements = 9,
	    .n_both_ways = 1,
	    .between = {0.3125, 0.01, 0.29, 0.33, 4},
	    .loss_bound = {0.43, 0.01, 0.41, 0.45, 4},
	};
	d->n_users = d->n_users_many = 60;
	d->n_pairs = 600;
	d->n_curve = 2;
	d->curve[0] = (struct diagnosis_point){1, {0.6, 0.01, 0.58, 0.62, 12}, 1};
	d->curve[1] = (struct diagnosis_point){2, {0.4, 0.01, 0.38, 0.42, 12}, 1};
	d->best = d->supported = d->mixture = 1;
	d->n_gains = 2;
	d->gain_users = 12;
	d->gains[0] = (struct diagnosis_gain){.accuracy = 0.78, .nll = 0.5};
	d->gains[1] = (struct diagnosis_gain){.shots = 1,
					      .accuracy = 0.85,
					      .nll = 0.4,
					      .accuracy_gain = {0.07, 0.01, 0.05, 0.09, 12},
					      .nll_saving = {0.1, 0.01, 0.08, 0.12, 12}};
	d->single_saving = (struct estimate){0.1, 0.01, 0.08, 0.12, 12};
	diagnosis_conclude(d);
	return report;
}

START_TEST(verdict_says_what_was_found)
{
	static const struct {
		enum diagnosis_answer answer;
		enum diagnosis_reason reason;
		const char *words[3];
	} rows[] = {
	    {ANSWER_WORTH_IT,
	     REASON_SAVING,
	     {"Worth it: two people disagree about 31 %",
	      "1 feedback "
	      "of a person changes",
	      "0.780 to 0.850"}},
	    {ANSWER_NOT_WORTH_IT,
	     REASON_NO_SAVING,
	     {"Not worth it: ", "a saving of 2 %", "One reward model serves everyone"}},
	    {ANSWER_NOT_WORTH_IT,
	     REASON_SINGLE,
	     {"Not worth it: ", "but a single model has", "One reward model serves everyone"}},
	    {ANSWER_CANNOT_TELL,
	     REASON_TOO_LITTLE,
	     {"Cannot tell: too little data", "600 pairs", "60"}},
	    {ANSWER_CANNOT_TELL,
	     REASON_NO_USERS,
	     {"Cannot tell", "no users in this data", "Pair by pair"}},
	    {ANSWER_CANNOT_TELL, REASON_FEW_USERS, {"Cannot tell", "60 people", "want 50"}},
	    {ANSWER_CANNOT_TELL, REASON_FEW_PAIRS, {"Cannot tell", "more pairs of each", ""}},
	    {ANSWER_CANNOT_TELL, REASON_UNCERTAIN, {"Cannot tell", "12 people were measured", ""}},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct diagnose_report report = full_report();
		const char *text;

		report.diagnosis.answer = rows[i].answer;
		report.diagnosis.reason = rows[i].reason;
		diagnose_report_verdict(&report, capture.terminal.out);
		text = capture_text(&capture);
		for (size_t j = 0; j < 3; j++)
			ck_assert_msg(strstr(text, rows[i].words[j]) != NULL, "%zu: %s", i, text);
		ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
	}
}
END_TEST

START_TEST(pair_evidence_needs_significance)
{
	struct diagnose_report report = full_report();

	report.diagnosis.answer = ANSWER_CANNOT_TELL;
	report.diagnosis.reason = REASON_NO_USERS;
	diagnose_report_verdict(&report, capture.terminal.out);
	ck_assert_ptr_nonnull(strstr(capture_text(&capture), "no better than a single model"));
	report.diagnosis.error.single_excess = (struct estimate){0.02, 0.005, 0.01, 0.03, 100};
	diagnose_report_verdict(&report, capture.terminal.out);
	ck_assert_ptr_nonnull(
	    strstr(capture_text(&capture), "a mixture of 2 heads predicts better"));
}
END_TEST

START_TEST(bars_are_for_terminals_only)
{
	struct diagnose_report report = full_report();
	const char *text;

	ck_assert(diagnose_report_text(&report, &capture.terminal, NULL) == STATUS_OK);
	text = capture_text(&capture);
	ck_assert_ptr_nonnull(strstr(text, "2: the fewest heads within one standard error"));
	ck_assert_ptr_null(strchr(text, '#'));
	ck_assert_ptr_null(strchr(text, '\033'));
	capture.terminal.interactive = true;
	ck_assert(diagnose_report_text(&report, &capture.terminal, NULL) == STATUS_OK);
	text = capture_text(&capture);
	ck_assert_ptr_nonnull(strstr(text, "\n    1        0.6000          0.0100  .............."
					   "................\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n    2        0.4000          0.0100  ##############"
					   "################\n"));
	ck_assert_ptr_null(strchr(text, '\033')); /* no colour was asked for */
}
END_TEST

START_TEST(few_repeats_of_one_person_do_not_tell)
{
	struct diagnose_report report = full_report();
	const char *text;

	report.repeats.within = (struct estimate){0, 0, 0, 0.658, 2};
	report.repeats.n_same_person = 2;
	ck_assert(diagnose_report_text(&report, &capture.terminal, NULL) == STATUS_OK);
	text = capture_text(&capture);
	ck_assert_ptr_nonnull(strstr(text, "\nHow much of that is noise: only 2 repeats of one "
					   "person, too few to tell (0.000 to 0.658).\n"));
	ck_assert_ptr_null(strstr(text, "asked again"));
	report.repeats.n_same_person = 20;
	ck_assert(diagnose_report_text(&report, &capture.terminal, NULL) == STATUS_OK);
	ck_assert_ptr_nonnull(strstr(capture_text(&capture),
				     "\nOne person, asked again, differs with probability 0.000 "
				     "(0.000 to 0.658; 20 repeats): that is noise"));
}
END_TEST

START_TEST(text_names_the_theorem_and_its_entropy)
{
	struct diagnose_report report = full_report();
	const char *text;

	report.diagnosis.error.entropy = (struct estimate){0.4321, 0.01, 0.41, 0.45, 12};
	ck_assert(diagnose_report_text(&report, &capture.terminal, NULL) == STATUS_OK);
	text = capture_text(&capture);
	ck_assert_ptr_nonnull(strstr(text, "Theorem 3.2"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\nentropy of the mixture's predictions  0.4321  0.4100 to 0.4500\n"));
}
END_TEST

START_TEST(json_has_no_negative_zero)
{
	struct diagnose_report report = full_report();

	report.repeats.between.low = -0.0;
	report.diagnosis.gains[0].nll_saving = (struct estimate){-0.0, -0.0, -0.0, -0.0, 12};
	ck_assert(diagnose_report_json(&report, capture.terminal.out, NULL) == STATUS_OK);
	ck_assert_ptr_null(strstr(capture_text(&capture), "-0.0"));
}
END_TEST

START_TEST(json_keeps_its_keys)
{
	static const char *const keys[] = {
	    "n_pairs", "n_users",	 "n_users_many", "seed",     "encoder", "repeats",
	    "split",   "subpopulations", "single_model", "feedback", "verdict"};
	struct diagnose_report report = full_report();
	struct diagnose_report empty = {.data = "d", .encoder = "none:4"};
	json_t *full, *little;

	ck_assert(diagnose_report_json(&report, capture.terminal.out, NULL) == STATUS_OK);
	full = json_loads(capture_text(&capture), 0, NULL);
	empty.diagnosis.way = DIAGNOSIS_TOO_LITTLE;
	diagnosis_conclude(&empty.diagnosis);
	ck_assert(diagnose_report_json(&empty, capture.terminal.out, NULL) == STATUS_OK);
	little = json_loads(capture_text(&capture), 0, NULL);
	ck_assert_uint_eq(json_object_size(full), LENGTH(keys));
	for (size_t i = 0; i < LENGTH(keys); i++) {
		ck_assert_msg(json_object_get(full, keys[i]) != NULL, "%s", keys[i]);
		ck_assert_msg(json_object_get(little, keys[i]) != NULL, "%s", keys[i]);
	}
	ck_assert(json_is_null(json_object_get(little, "feedback")));
	ck_assert(json_is_null(json_object_get(json_object_get(little, "repeats"), "between")));
	ck_assert_str_eq(
	    json_string_value(json_object_get(json_object_get(full, "verdict"), "answer")),
	    "worth_it");
	json_decref(full);
	json_decref(little);
}
END_TEST

START_TEST(progress_is_drawn_on_terminals_only)
{
	const struct diagnosis_progress state = {.fit = 2, .n_fits = 6, .n_heads = 2, .done = 0.25};
	struct diagnose_progress progress;

	diagnose_progress_start(&progress, &capture.terminal, 100);
	diagnose_progress_show(&progress, &state, 101);
	diagnose_progress_end(&progress);
	ck_assert_str_eq(capture_text(&capture), "");
	capture.terminal.interactive = true;
	diagnose_progress_start(&progress, &capture.terminal, 100);
	diagnose_progress_show(&progress, &state, 101);
	ck_assert_str_eq(capture_text(&capture), "\r\033[Kfit 2/6:  2 heads   25 %  3 s left  "
						 "######..................");
	diagnose_progress_show(&progress, &state, 101.01); /* too early */
	diagnose_progress_end(&progress);
	ck_assert_str_eq(capture_text(&capture), "\r\033[K");
	diagnose_progress_end(&progress);
	ck_assert_str_eq(capture_text(&capture), "");
}
END_TEST

START_TEST(progress_fits_the_window)
{
	const struct diagnosis_progress state = {.fit = 2, .n_fits = 6, .n_heads = 2, .done = 0.25};
	struct diagnose_progress progress;

	capture.terminal.interactive = true;
	capture.terminal.width = 12;
	diagnose_progress_start(&progress, &capture.terminal, 100);
	diagnose_progress_show(&progress, &state, 101);
	ck_assert_str_eq(capture_text(&capture), "\r\033[Kfit 2/6:  2");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("diagnose report");
	TCase *tcase = tcase_create("report");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, verdict_says_what_was_found);
	tcase_add_test(tcase, pair_evidence_needs_significance);
	tcase_add_test(tcase, bars_are_for_terminals_only);
	tcase_add_test(tcase, few_repeats_of_one_person_do_not_tell);
	tcase_add_test(tcase, text_names_the_theorem_and_its_entropy);
	tcase_add_test(tcase, json_has_no_negative_zero);
	tcase_add_test(tcase, json_keeps_its_keys);
	tcase_add_test(tcase, progress_is_drawn_on_terminals_only);
	tcase_add_test(tcase, progress_fits_the_window);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
