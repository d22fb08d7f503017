/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/place.h"
#include "tests/unit/unit.h"

START_TEST(place_is_a_json_pointer)
{
	static const struct {
		struct place place;
		const char *want;
	} cases[] = {
	    {{PLACE_NONE, NULL, PLACE_NONE}, ""},
	    {{PLACE_NONE, "chosen", PLACE_NONE}, "/chosen"},
	    {{PLACE_NONE, "responses", 1}, "/responses/1"},
	    {{3, NULL, PLACE_NONE}, "/items/3"},
	    {{3, "responses", 1}, "/items/3/responses/1"},
	    {{PLACE_NONE, "a/b~c", PLACE_NONE}, "/a~1b~0c"},
	    {{PLACE_NONE, "", PLACE_NONE}, "/"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		char text[PLACE_TEXT_MAX];

		ck_assert_str_eq(place_text(cases[i].place, text), cases[i].want);
	}
}
END_TEST

START_TEST(long_field_is_cut_and_the_index_stays)
{
	char field[1000], text[PLACE_TEXT_MAX];

	memset(field, '/', sizeof(field) - 1);
	field[sizeof(field) - 1] = '\0';
	place_text((struct place){(size_t)-2, field, (size_t)-2}, text);
	ck_assert_ptr_nonnull(memchr(text, '\0', sizeof(text)));
	ck_assert_str_eq(text + strlen(text) - 21, "/18446744073709551614");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("place");
	TCase *tcase = tcase_create("place_text");

	tcase_add_test(tcase, place_is_a_json_pointer);
	tcase_add_test(tcase, long_field_is_cut_and_the_index_stays);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
