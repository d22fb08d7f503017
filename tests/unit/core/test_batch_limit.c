/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>

#include "core/encode/batch_limit.h"
#include "tests/unit/unit.h"

#define MAX 256

/* A server that takes server_limit texts at once, and one text never (n_texts: all of them). */
static struct batch_limit limit;

struct run {
	size_t n_calls, n_refused;
	bool gave_up;
};

static struct run send_texts(size_t n_texts, size_t server_limit, size_t bad_text)
{
	struct batch_try trying = {0};
	struct run run = {0};
	size_t at = 0;

	while (at < n_texts) {
		size_t n = batch_limit_next(&limit, &trying, MAX);

		ck_assert_uint_ge(n, 1);
		ck_assert_uint_le(n, MAX);
		if (n > n_texts - at)
			n = n_texts - at;
		ck_assert_uint_lt(run.n_calls++, 1000);
		if (n <= server_limit && !(bad_text >= at && bad_text < at + n)) {
			batch_try_passed(&trying, n);
			at += n;
			continue;
		}
		run.n_refused++;
		run.gave_up = n == 1;
		if (run.gave_up)
			return run;
		batch_try_refused(&trying, n);
	}
	batch_limit_learn(&limit, &trying);
	return run;
}

static void forget(void)
{
	limit = (struct batch_limit){0};
}

START_TEST(without_a_limit_batches_are_as_large_as_they_may_be)
{
	struct run run = send_texts(600, SIZE_MAX, SIZE_MAX);

	ck_assert_uint_eq(run.n_calls, 3);
	ck_assert_uint_eq(send_texts(64, SIZE_MAX, SIZE_MAX).n_calls, 1);
}
END_TEST

START_TEST(limit_is_found_and_then_never_passed)
{
	static const size_t limits[] = {1, 2, 3, 5, 32, 33, 100, 255};

	for (size_t i = 0; i < LENGTH(limits); i++) {
		size_t n_refused = 0;

		forget();
		for (int request = 0; request < 12; request++)
			n_refused += send_texts(MAX, limits[i], SIZE_MAX).n_refused;
		ck_assert_msg(n_refused <= 16, "limit %zu: %zu refused", limits[i], n_refused);
		struct run run = send_texts(MAX, limits[i], SIZE_MAX);

		ck_assert_msg(
		    run.n_refused == 0 && run.n_calls == (MAX + limits[i] - 1) / limits[i],
		    "limit %zu: %zu calls, %zu refused", limits[i], run.n_calls, run.n_refused);
	}
}
END_TEST

START_TEST(one_bad_text_is_found_and_teaches_nothing)
{
	for (size_t bad = 0; bad < 64; bad += 7) {
		forget();
		send_texts(64, SIZE_MAX, SIZE_MAX);
		struct run run = send_texts(64, SIZE_MAX, bad);

		ck_assert(run.gave_up);
		ck_assert_uint_le(run.n_refused, 7);
		ck_assert_uint_eq(send_texts(64, SIZE_MAX, SIZE_MAX).n_calls, 1);
	}
}
END_TEST

START_TEST(smaller_limit_than_before_is_learnt)
{
	for (int i = 0; i < 12; i++)
		send_texts(64, 32, SIZE_MAX);
	for (int i = 0; i < 12; i++)
		ck_assert(!send_texts(64, 8, SIZE_MAX).gave_up);
	ck_assert_uint_eq(send_texts(64, 8, SIZE_MAX).n_calls, 8);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch limit");
	TCase *tcase = tcase_create("limit");

	tcase_add_checked_fixture(tcase, forget, NULL);
	tcase_add_test(tcase, without_a_limit_batches_are_as_large_as_they_may_be);
	tcase_add_test(tcase, limit_is_found_and_then_never_passed);
	tcase_add_test(tcase, one_bad_text_is_found_and_teaches_nothing);
	tcase_add_test(tcase, smaller_limit_than_before_is_learnt);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
