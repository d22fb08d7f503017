/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/tool/head_list.h"
#include "tests/unit/core/pairs_fixture.h"
#include "tests/unit/unit.h"

#define K 12

static struct model model;

static void setup(void)
{
	pairs_model(K, ROUTER_STATIC, 0, &model);
}

static void teardown(void)
{
	model_free(&model);
}

START_TEST(numbers_name_heads)
{
	bool set[K];

	ck_assert_int_eq(head_list_numbers("0,11,3,0", K, set, NULL), STATUS_OK);
	for (size_t k = 0; k < K; k++)
		ck_assert_int_eq(set[k], k == 0 || k == 3 || k == 11);
}
END_TEST

static const struct {
	const char *text;
	const char *message;
} wrong_numbers[] = {
    {"", "\"\": want a head from 0 to 11"},
    {"12", "\"12\": want a head from 0 to 11"},
    {"1,,2", "\"\": want a head from 0 to 11"},
    {"1,", "\"\": want a head from 0 to 11"},
    {"-1", "\"-1\": want a head from 0 to 11"},
    {"1 ", "\"1 \": want a head from 0 to 11"},
    {"00001", "\"00001\": want a head from 0 to 11"},
    {"99999999999999999999", "\"99999999999999999999\": want a head from 0 to 11"},
};

START_TEST(refuses_numbers)
{
	bool set[K];
	struct err err;

	ck_assert_int_eq(head_list_numbers(wrong_numbers[_i].text, K, set, &err),
			 STATUS_INVALID_VALUE);
	ck_assert_str_eq(err.msg, wrong_numbers[_i].message);
}
END_TEST

START_TEST(all_labels_name_every_head_in_turn)
{
	ck_assert_int_eq(head_list_all_labels("a,b,c,d,e,f,g,h,i,j,k,é = ü", &model, NULL),
			 STATUS_OK);
	ck_assert_str_eq(model.labels[0], "a");
	ck_assert_str_eq(model.labels[11], "é = ü");
}
END_TEST

START_TEST(some_labels_name_the_heads_they_say)
{
	ck_assert_int_eq(head_list_some_labels("11=warm and long,0=a=b", &model, NULL), STATUS_OK);
	ck_assert_str_eq(model.labels[0], "a=b");
	ck_assert_str_eq(model.labels[1], "head 1");
	ck_assert_str_eq(model.labels[11], "warm and long");
}
END_TEST

static const struct {
	enum status (*parse)(const char *text, struct model *model, struct err *err);
	const char *text;
	const char *message;
} wrong_labels[] = {
    {head_list_all_labels, "a,b", "2 labels, want 12, one for each head, separated by commas"},
    {head_list_all_labels, "a,b,c,d,e,,g,h,i,j,k,l", "head 5: label of 0 bytes, want 1 to 256"},
    {head_list_some_labels, "terse", "\"terse\": want a head and its label, such as 0=terse"},
    {head_list_some_labels, "0=a,,", "\"\": want a head and its label, such as 0=terse"},
    {head_list_some_labels, "12=a", "\"12\": want a head from 0 to 11"},
    {head_list_some_labels, "=a", "\"\": want a head from 0 to 11"},
    {head_list_some_labels, "1=", "head 1: label of 0 bytes, want 1 to 256"},
    {head_list_some_labels, "1=\xff", "head 1: label is not valid UTF-8"},
};

START_TEST(refuses_labels)
{
	struct err err;

	ck_assert_int_eq(wrong_labels[_i].parse(wrong_labels[_i].text, &model, &err),
			 STATUS_INVALID_VALUE);
	ck_assert_str_eq(err.msg, wrong_labels[_i].message);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("head_list");
	TCase *tcase = tcase_create("head_list");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, numbers_name_heads);
	tcase_add_loop_test(tcase, refuses_numbers, 0, LENGTH(wrong_numbers));
	tcase_add_test(tcase, all_labels_name_every_head_in_turn);
	tcase_add_test(tcase, some_labels_name_the_heads_they_say);
	tcase_add_loop_test(tcase, refuses_labels, 0, LENGTH(wrong_labels));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
