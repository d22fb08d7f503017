/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/base/edit_distance.h"
#include "tests/unit/unit.h"

static const struct {
	const char *a, *b;
	size_t distance;
} cases[] = {
    {"", "", 0},	 {"port", "port", 0},	   {"", "port", 4},	{"prot", "port", 2},
    {"prt", "port", 1},	 {"port", "ports", 1},	   {"part", "port", 1}, {"trian", "train", 2},
    {"flaw", "lawn", 2}, {"kitten", "sitting", 3}, {"abc", "xyz", 3},
};

START_TEST(counts_the_fewest_edits_in_both_directions)
{
	ck_assert_msg(edit_distance(cases[_i].a, cases[_i].b) == cases[_i].distance, "%s, %s",
		      cases[_i].a, cases[_i].b);
	ck_assert_msg(edit_distance(cases[_i].b, cases[_i].a) == cases[_i].distance, "%s, %s",
		      cases[_i].b, cases[_i].a);
}
END_TEST

START_TEST(compares_only_the_beginning_of_long_names)
{
	char a[200], b[200];

	memset(a, 'a', sizeof(a));
	memset(b, 'a', sizeof(b));
	a[sizeof(a) - 1] = b[sizeof(b) - 1] = '\0';
	b[EDIT_DISTANCE_MAX] = 'b';
	ck_assert_uint_eq(edit_distance(a, b), 0);
	b[0] = 'b';
	ck_assert_uint_eq(edit_distance(a, b), 1);
	ck_assert_uint_eq(edit_distance(a, ""), EDIT_DISTANCE_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("edit_distance");
	TCase *tcase = tcase_create("edit_distance");

	tcase_add_loop_test(tcase, counts_the_fewest_edits_in_both_directions, 0,
			    (int)LENGTH(cases));
	tcase_add_test(tcase, compares_only_the_beginning_of_long_names);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
