/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/idempotency_key.h"
#include "tests/unit/unit.h"

#define A64  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A256 A64 A64 A64 A64

static const struct {
	const char *header, *body; /* body: the id there, NULL: none */
	const char *id;
	enum status status;
} cases[] = {
    {"\"8e03978e-40d5-43dd\"", NULL, "8e03978e-40d5-43dd", STATUS_OK},
    {"8e03978e-40d5-43dd", NULL, "8e03978e-40d5-43dd", STATUS_OK},
    {"\"a b\\\"c\\\\d\"", NULL, "a b\"c\\d", STATUS_OK},
    {"\"k\"", "k", "k", STATUS_OK},
    {"k\"", NULL, "k\"", STATUS_OK},
    {"\"" A256 "\"", NULL, A256, STATUS_OK},
    {"\"k\"", "l", NULL, STATUS_INVALID_VALUE},
    {"", NULL, NULL, STATUS_INVALID_VALUE},
    {"\"\"", NULL, NULL, STATUS_INVALID_VALUE},
    {"\"" A256 "b\"", NULL, NULL, STATUS_INVALID_VALUE},
    {A256 "b", NULL, NULL, STATUS_INVALID_VALUE},
    {"receipt-1", NULL, NULL, STATUS_INVALID_VALUE},
    {"\"", NULL, NULL, STATUS_MALFORMED},
    {"\"k", NULL, NULL, STATUS_MALFORMED},
    {"\"k\\", NULL, NULL, STATUS_MALFORMED},
    {"\"k\\n\"", NULL, NULL, STATUS_MALFORMED},
    {"\"k\";a=1", NULL, NULL, STATUS_MALFORMED},
    {"\"\xc3\xa9\"", NULL, NULL, STATUS_MALFORMED},
};

START_TEST(header_is_the_id)
{
	struct feedback feedback = {.event_id = cases[_i].body};
	struct arena arena = {0};
	struct err err = {0};

	ck_assert_msg(idempotency_key_take(cases[_i].header, &arena, &feedback, &err) ==
			  cases[_i].status,
		      "%s: %s", cases[_i].header, err.msg);
	if (cases[_i].status == STATUS_OK)
		ck_assert_str_eq(feedback.event_id, cases[_i].id);
	else
		ck_assert_str_eq(err.param, "Idempotency-Key");
	arena_free(&arena);
}
END_TEST

START_TEST(receipt_is_an_id_of_its_own)
{
	const struct receipt_choice choice = {{"", 0}, 0, NULL, 0};
	struct feedback feedback = {.choice = &choice};
	struct arena arena = {0};

	struct err err = {0};

	ck_assert_int_eq(idempotency_key_take("k", &arena, &feedback, &err), STATUS_INVALID_VALUE);
	ck_assert_str_eq(err.param, "Idempotency-Key");
	ck_assert_int_eq(idempotency_key_take("\"k", &arena, &feedback, &err), STATUS_MALFORMED);
	ck_assert_ptr_null(feedback.event_id);
	arena_free(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("idempotency_key");
	TCase *tcase = tcase_create("idempotency_key");

	tcase_add_loop_test(tcase, header_is_the_id, 0, LENGTH(cases));
	tcase_add_test(tcase, receipt_is_an_id_of_its_own);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
