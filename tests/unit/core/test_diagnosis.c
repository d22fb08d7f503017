/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/diagnose/diagnosis.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

static const struct diagnosis_options usual = {
    .seed = 1, .budget = DIAGNOSIS_BUDGET, .n_threads = 1};

static struct diagnosis diagnose(const struct dataset *data, struct diagnosis_options options)
{
	struct diagnosis diagnosis;
	struct encoder *encoder;
	struct err err;

	ck_assert(encoder_open("none:4", &encoder, NULL) == STATUS_OK);
	ck_assert_msg(diagnosis_run(data, encoder, &options, NULL, NULL, &diagnosis, &err) ==
			  STATUS_OK,
		      "%s", err.msg);
	encoder_close(encoder);
	return diagnosis;
}

START_TEST(one_standard_error_rule)
{
	static const struct {
		double nll[4], se[4];
		size_t best, supported;
	} rows[] = {
	    {{0.6, 0.5, 0.4, 0.39}, {0.01, 0.01, 0.01, 0.02}, 3, 2},
	    {{0.6, 0.5, 0.4, 0.39}, {0.01, 0.01, 0.01, 0.001}, 3, 3},
	    {{0.5, 0.5, 0.5, 0.5}, {0, 0, 0, 0}, 0, 0},
	    {{0.51, 0.50, 0.52, 0.6}, {0.9, 0.01, 0.9, 0.9}, 1, 0},
	    /* a standard error that is not the best one's does not count */
	    {{0.52, 0.50, 0.49, 0.6}, {0.9, 0.9, 0.001, 0.9}, 2, 2},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct diagnosis_point curve[4];
		size_t best;

		for (size_t k = 0; k < 4; k++)
			curve[k].nll =
			    (struct estimate){.mean = rows[i].nll[k], .se = rows[i].se[k]};
		ck_assert_uint_eq(diagnosis_supported(curve, 4, &best), rows[i].supported);
		ck_assert_uint_eq(best, rows[i].best);
	}
}
END_TEST

START_TEST(answer_follows_from_significance)
{
	static const struct {
		struct estimate saving, single; /* of NLL 0.5: 0.01 is material */
		enum diagnosis_answer answer;
		enum diagnosis_reason reason;
	} rows[] = {
	    {{.mean = 0.1, .low = 0.05, .high = 0.15},
	     {.low = 0.01, .high = 0.1},
	     ANSWER_WORTH_IT,
	     REASON_SAVING},
	    {{.mean = 0.1, .low = 0.05, .high = 0.15},
	     {.low = -0.01, .high = 0.005},
	     ANSWER_NOT_WORTH_IT,
	     REASON_SINGLE},
	    {{.mean = 0.1, .low = 0.05, .high = 0.15},
	     {.low = -0.01, .high = 0.1},
	     ANSWER_CANNOT_TELL,
	     REASON_UNCERTAIN},
	    {{.mean = 0.1, .low = -0.01, .high = 0.21},
	     {.low = 0.01, .high = 0.1},
	     ANSWER_CANNOT_TELL,
	     REASON_UNCERTAIN},
	    {{.mean = 0.008, .low = 0.004, .high = 0.012},
	     {.low = 0.01, .high = 0.1},
	     ANSWER_CANNOT_TELL,
	     REASON_UNCERTAIN},
	    {{.mean = 0.006, .low = 0.004, .high = 0.008},
	     {.low = 0.01, .high = 0.1},
	     ANSWER_NOT_WORTH_IT,
	     REASON_NO_SAVING},
	    {{.mean = -0.1, .low = -0.2, .high = 0},
	     {.low = -0.2, .high = 0},
	     ANSWER_NOT_WORTH_IT,
	     REASON_NO_SAVING},
	};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct diagnosis d = {.n_gains = 2};

		d.gains[0].nll = 0.5;
		d.gains[1].nll_saving = rows[i].saving;
		d.single_saving = rows[i].single;
		diagnosis_conclude(&d);
		ck_assert_msg(d.answer == rows[i].answer && d.reason == rows[i].reason,
			      "row %zu: %s, %s", i, diagnosis_answer_name(d.answer),
			      diagnosis_reason_name(d.reason));
	}
}
END_TEST

START_TEST(two_tastes_are_found)
{
	struct dataset data;
	struct diagnosis d;

	pairs_two_tastes(120, 12, 1, &data);
	d = diagnose(&data, usual);
	ck_assert_int_eq(d.way, DIAGNOSIS_BY_USER);
	ck_assert_uint_eq(d.parts[DIAGNOSIS_FIT].users, 72);
	ck_assert_uint_eq(d.parts[DIAGNOSIS_CHOOSE].users, 24);
	ck_assert_uint_eq(d.parts[DIAGNOSIS_MEASURE].pairs, 24 * 12);
	ck_assert(!d.sampled);
	ck_assert_uint_eq(d.curve[d.supported].n_heads, 2);
	ck_assert_uint_eq(d.n_gains, 4);
	ck_assert_uint_eq(d.gains[3].shots, 8);
	ck_assert_uint_eq(d.gain_users, 24);
	ck_assert_double_gt(d.gains[3].accuracy, 0.9);
	ck_assert_double_lt(d.single_accuracy, 0.7);
	ck_assert_double_eq_tol(d.gains[3].accuracy_gain.mean,
				d.gains[3].accuracy - d.gains[0].accuracy, 1e-12);
	ck_assert_double_eq_tol(d.gains[3].nll_saving.mean, d.gains[0].nll - d.gains[3].nll, 1e-12);
	ck_assert_double_eq_tol(d.single_saving.mean, d.single_nll - d.gains[3].nll, 1e-12);
	ck_assert_double_eq_tol(d.error.bound.mean, d.error.noise.mean + 2 * d.error.variance.mean,
				1e-12);
	ck_assert_double_eq_tol(d.error.noise.mean + d.error.disagreement.mean,
				d.error.mixture_nll.mean, 1e-12);
	ck_assert_double_le(d.error.bound.mean, d.error.single_nll.mean);
	ck_assert_int_eq(d.answer, ANSWER_WORTH_IT);
	dataset_free(&data);
}
END_TEST

START_TEST(one_taste_is_not_worth_it)
{
	struct dataset data;
	struct diagnosis d;

	pairs_one_taste(120, 12, 1, &data);
	d = diagnose(&data, usual);
	ck_assert_uint_eq(d.curve[d.supported].n_heads, 1);
	ck_assert_int_eq(d.answer, ANSWER_NOT_WORTH_IT);
	dataset_free(&data);
}
END_TEST

START_TEST(feedbacks_are_as_many_as_the_data_allow)
{
	static const size_t pairs[] = {2, 4, 5, 8, 9}, most[] = {1, 1, 4, 4, 8};

	for (size_t i = 0; i < LENGTH(pairs); i++) {
		struct dataset data;
		struct diagnosis d;

		pairs_two_tastes(60, pairs[i], 1, &data);
		d = diagnose(&data, usual);
		ck_assert_uint_eq(d.gains[d.n_gains - 1].shots, most[i]);
		dataset_free(&data);
	}
}
END_TEST

START_TEST(pairs_of_nobody_are_looked_at_one_by_one)
{
	struct dataset data;
	struct diagnosis d;

	pairs_two_tastes(DIAGNOSIS_MIN_PAIRS, 0, 1, &data);
	d = diagnose(&data, usual);
	ck_assert_int_eq(d.way, DIAGNOSIS_BY_PAIR);
	ck_assert_uint_eq(d.parts[DIAGNOSIS_FIT].pairs, 300);
	ck_assert_uint_eq(d.parts[DIAGNOSIS_FIT].users, 0);
	ck_assert_uint_ge(d.n_curve, 2);
	ck_assert_uint_eq(d.n_gains, 0);
	ck_assert_int_eq(d.answer, ANSWER_CANNOT_TELL);
	ck_assert_int_eq(d.reason, REASON_NO_USERS);
	dataset_free(&data);
}
END_TEST

START_TEST(few_people_with_many_pairs_are_looked_at_by_pair)
{
	struct dataset data;
	struct diagnosis d;

	pairs_two_tastes(10, 50, 1, &data);
	d = diagnose(&data, usual);
	ck_assert_int_eq(d.way, DIAGNOSIS_BY_PAIR);
	ck_assert_uint_eq(d.n_users_many, 10);
	ck_assert_int_eq(d.reason, REASON_FEW_USERS);
	dataset_free(&data);
}
END_TEST

START_TEST(little_data_is_said_to_be_little)
{
	static const struct {
		size_t users, pairs;
	} rows[] = {{1, 1}, {1, 0}, {49, 10}, {DIAGNOSIS_MIN_PAIRS - 1, 0}};

	for (size_t i = 0; i < LENGTH(rows); i++) {
		struct dataset data;
		struct diagnosis d;

		pairs_two_tastes(rows[i].users, rows[i].pairs, 1, &data);
		d = diagnose(&data, usual);
		ck_assert_int_eq(d.way, DIAGNOSIS_TOO_LITTLE);
		ck_assert_uint_eq(d.n_curve, 0);
		ck_assert_int_eq(d.reason, REASON_TOO_LITTLE);
		dataset_free(&data);
	}
}
END_TEST

START_TEST(people_without_a_second_pair_are_not_enough)
{
	struct dataset data;
	struct diagnosis d;

	/* 50 people with two pairs and 450 with one: a tenth of those measured has a later one */
	pairs_two_tastes(550, 1, 1, &data);
	for (size_t i = 500; i < 550; i++)
		data.user[i] = (uint32_t)(i - 500);
	data.n_users = 500;
	d = diagnose(&data, usual);
	ck_assert_int_eq(d.way, DIAGNOSIS_BY_USER);
	ck_assert(d.n_gains == 0 ? d.reason == REASON_FEW_PAIRS
				 : d.gain_users >= DIAGNOSIS_MIN_MEASURED);
	data.n_users = 550; /* all names are freed */
	dataset_free(&data);
}
END_TEST

START_TEST(budget_takes_people_not_pairs)
{
	struct diagnosis_options options = {.seed = 1, .budget = 500, .n_threads = 1};
	struct dataset data;
	struct diagnosis d;

	pairs_two_tastes(200, 6, 1, &data);
	for (size_t i = 0; i < 12; i++)
		data.user[6 * i] = DATASET_NONE; /* nobody's: left out */
	d = diagnose(&data, options);
	ck_assert(d.sampled);
	ck_assert_uint_ge(d.parts[0].pairs + d.parts[1].pairs + d.parts[2].pairs, 500);
	ck_assert_uint_le(d.parts[0].pairs + d.parts[1].pairs + d.parts[2].pairs, 505);
	options.budget = 1; /* never fewer people than it takes */
	d = diagnose(&data, options);
	ck_assert_uint_eq(d.parts[0].users + d.parts[1].users + d.parts[2].users,
			  DIAGNOSIS_MIN_USERS);
	dataset_free(&data);
}
END_TEST

START_TEST(same_seed_same_answer)
{
	struct diagnosis_options other = {.seed = 2, .budget = DIAGNOSIS_BUDGET, .n_threads = 1};
	struct diagnosis a, b;
	struct dataset data;

	pairs_two_tastes(60, 6, 1, &data);
	a = diagnose(&data, usual);
	b = diagnose(&data, usual);
	ck_assert_double_eq(a.error.bound.mean, b.error.bound.mean);
	ck_assert_double_eq(a.curve[a.best].nll.mean, b.curve[b.best].nll.mean);
	b = diagnose(&data, other);
	ck_assert_double_ne(a.error.bound.mean, b.error.bound.mean);
	dataset_free(&data);
}
END_TEST

struct watch {
	size_t n, stop_at, last_fit;
	double done;
};

static bool on_progress(void *context, const struct diagnosis_progress *progress)
{
	struct watch *watch = context;

	ck_assert_double_ge(progress->done, watch->done);
	ck_assert_double_le(progress->done, 1 + 1e-12);
	watch->done = progress->done;
	watch->last_fit = progress->fit;
	return ++watch->n != watch->stop_at;
}

START_TEST(progress_grows_and_can_stop)
{
	struct diagnosis diagnosis;
	struct watch all = {0}, stopped = {.stop_at = 20};
	struct encoder *encoder;
	struct dataset data;
	struct err err;

	pairs_two_tastes(60, 6, 1, &data);
	ck_assert(encoder_open("none:4", &encoder, NULL) == STATUS_OK);
	ck_assert(diagnosis_run(&data, encoder, &usual, on_progress, &all, &diagnosis, &err) ==
		  STATUS_OK);
	ck_assert_double_eq_tol(all.done, 1, 1e-12);
	ck_assert_uint_eq(all.last_fit, diagnosis.n_curve);
	ck_assert(diagnosis_run(&data, encoder, &usual, on_progress, &stopped, &diagnosis, &err) ==
		  STATUS_INTERRUPTED);
	ck_assert_uint_eq(stopped.n, 20);
	encoder_close(encoder);
	dataset_free(&data);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("diagnosis");
	TCase *verdict = tcase_create("verdict"), *run = tcase_create("run");

	tcase_add_test(verdict, one_standard_error_rule);
	tcase_add_test(verdict, answer_follows_from_significance);
	tcase_set_timeout(run, 60);
	tcase_add_test(run, two_tastes_are_found);
	tcase_add_test(run, one_taste_is_not_worth_it);
	tcase_add_test(run, feedbacks_are_as_many_as_the_data_allow);
	tcase_add_test(run, pairs_of_nobody_are_looked_at_one_by_one);
	tcase_add_test(run, few_people_with_many_pairs_are_looked_at_by_pair);
	tcase_add_test(run, little_data_is_said_to_be_little);
	tcase_add_test(run, people_without_a_second_pair_are_not_enough);
	tcase_add_test(run, budget_takes_people_not_pairs);
	tcase_add_test(run, same_seed_same_answer);
	tcase_add_test(run, progress_grows_and_can_stop);
	suite_add_tcase(suite, verdict);
	suite_add_tcase(suite, run);
	return unit_run(suite);
}
