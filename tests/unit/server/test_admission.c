/* SPDX-License-Identifier: Apache-2.0 */
/* test_admission.c - which bodies are read, and which wait */
#include "server/admission.h"
#include "tests/unit/unit.h"

#define KB 1024u

enum { N = 8, LONG = ADMISSION_READING / 4 };

static struct budget budget;
static struct admission admission;
static struct applicant body[N];

static void set_up(void)
{
	budget = (struct budget){.limit = 100 * ADMISSION_READING};
	admission = (struct admission){.budget = &budget};
	for (int i = 0; i < N; i++)
		body[i] = (struct applicant){0};
}

/* Of each that has asked: nothing is left behind. */
static void tear_down(void)
{
	for (int i = 0; i < N; i++) {
		admission_leave(&admission, &body[i]);
		budget_give_back(&budget, body[i].n_taken);
	}
	ck_assert_ptr_null(admission.waiting);
	ck_assert_ptr_null(admission.reading);
	ck_assert_uint_eq(admission.n_reading, 0);
	ck_assert_uint_eq(budget.used, 0);
}

static bool ask(int i, uint64_t n_bytes)
{
	return admission_ask(&admission, &body[i], n_bytes, 0);
}

static void finish(int i)
{
	admission_leave(&admission, &body[i]);
	budget_give_back(&budget, body[i].n_taken);
	body[i].n_taken = 0;
}

/* Who goes on; -1: nobody. */
static int next_at(double now)
{
	const struct applicant *next = admission_next(&admission, now);

	return next == NULL ? -1 : (int)(next - body);
}

START_TEST(what_has_room_is_read_right_away)
{
	ck_assert(ask(0, 0));
	ck_assert(ask(1, 1));
	ck_assert(ask(2, LONG));
	ck_assert_uint_eq(body[0].n_taken, 0);
	ck_assert_uint_eq(body[1].n_taken, 1);
	ck_assert_uint_eq(body[2].n_taken, LONG);
	ck_assert_uint_eq(budget.used, LONG + 1);
	ck_assert_int_eq(next_at(0), -1);
}
END_TEST

START_TEST(long_bodies_take_turns_in_order)
{
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(ask(i, LONG), i < 4);
	ck_assert_uint_eq(budget.used, 4 * LONG);
	ck_assert_int_eq(next_at(0), -1);
	finish(2);
	/* one alone is not worth it */
	ck_assert_int_eq(next_at(0), -1);
	finish(0);
	ck_assert_int_eq(next_at(0), 4);
	ck_assert_int_eq(next_at(0), 5);
	ck_assert_int_eq(next_at(0), -1);
	finish(1);
	finish(3);
	ck_assert_int_eq(next_at(0), 6);
	ck_assert_int_eq(next_at(0), 7);
}
END_TEST

START_TEST(who_comes_later_does_not_overtake)
{
	ck_assert(ask(0, 3 * LONG));
	ck_assert(!ask(1, 2 * LONG));
	ck_assert(!ask(2, LONG));
	finish(0);
	ck_assert_int_eq(next_at(0), 1);
	ck_assert_int_eq(next_at(0), 2);
}
END_TEST

START_TEST(short_bodies_need_no_turn)
{
	ck_assert(ask(0, ADMISSION_READING));
	ck_assert(!ask(1, LONG));
	ck_assert(ask(2, ADMISSION_SHORT - 1));
	ck_assert_uint_eq(admission.n_reading, ADMISSION_READING);
}
END_TEST

START_TEST(one_alone_may_be_longer)
{
	ck_assert(ask(0, 3 * ADMISSION_READING));
	ck_assert(!ask(1, LONG));
	ck_assert(!ask(2, 3 * ADMISSION_READING));
	finish(0);
	ck_assert_int_eq(next_at(0), 1);
	ck_assert_int_eq(next_at(0), -1);
	finish(1);
	ck_assert_int_eq(next_at(0), 2);
}
END_TEST

START_TEST(who_sends_nothing_loses_its_turn)
{
	ck_assert(ask(0, ADMISSION_READING));
	ck_assert(!ask(1, ADMISSION_READING));
	/* its first round is not over yet */
	admission_end_round(&admission);
	ck_assert_int_eq(next_at(0), -1);
	admission_move(&body[0], KB);
	admission_end_round(&admission);
	ck_assert_int_eq(next_at(0), -1);
	ck_assert_uint_eq(budget.used, ADMISSION_READING);
	admission_end_round(&admission);
	/* it keeps room for what has come, not for what was announced */
	ck_assert_uint_eq(budget.used, KB);
	ck_assert_int_eq(next_at(0), 1);
	ck_assert_uint_eq(budget.used, KB + ADMISSION_READING);
	admission_move(&body[0], 2 * KB);
	ck_assert_uint_eq(body[0].n_taken, KB);
	finish(0);
	ck_assert_uint_eq(budget.used, ADMISSION_READING);
	ck_assert_uint_eq(admission.n_reading, ADMISSION_READING);
}
END_TEST

START_TEST(past_the_budget_they_wait_and_go_on_together)
{
	budget.limit = 64 * KB;
	ck_assert(ask(0, 30 * KB));
	ck_assert(ask(1, 30 * KB));
	ck_assert(!ask(2, 20 * KB));
	ck_assert(!ask(3, 10 * KB));
	ck_assert_int_eq(next_at(0), -1);
	finish(0);
	ck_assert_int_eq(next_at(0), 2);
	ck_assert_int_eq(next_at(0), 3);
	ck_assert_uint_eq(budget.used, 60 * KB);
}
END_TEST

START_TEST(who_has_waited_for_too_long_goes_on_without)
{
	budget.limit = 1;
	ck_assert(ask(0, 1));
	ck_assert(!ask(1, 1));
	ck_assert_int_eq(next_at(ADMISSION_SECONDS / 2), -1);
	ck_assert_int_eq(next_at(ADMISSION_SECONDS), 1);
	ck_assert_uint_eq(body[1].n_taken, 0);
	ck_assert_int_eq(next_at(ADMISSION_SECONDS), -1);
}
END_TEST

START_TEST(who_leaves_is_not_waited_for)
{
	ck_assert(ask(0, ADMISSION_READING));
	ck_assert(!ask(1, LONG));
	ck_assert(!ask(2, LONG));
	admission_leave(&admission, &body[1]);
	admission_leave(&admission, &body[1]);
	finish(0);
	ck_assert_int_eq(next_at(0), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admission");
	TCase *tc = tcase_create("admission");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, what_has_room_is_read_right_away);
	tcase_add_test(tc, long_bodies_take_turns_in_order);
	tcase_add_test(tc, who_comes_later_does_not_overtake);
	tcase_add_test(tc, short_bodies_need_no_turn);
	tcase_add_test(tc, one_alone_may_be_longer);
	tcase_add_test(tc, who_sends_nothing_loses_its_turn);
	tcase_add_test(tc, past_the_budget_they_wait_and_go_on_together);
	tcase_add_test(tc, who_has_waited_for_too_long_goes_on_without);
	tcase_add_test(tc, who_leaves_is_not_waited_for);
	suite_add_tcase(suite, tc);
	return unit_run(suite);
}
