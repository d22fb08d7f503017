/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/identifier.h"
#include "tests/unit/unit.h"

START_TEST(names_are_valid_utf8_without_control_characters)
{
	static const struct {
		const char *bytes;
		size_t len, min_len;
		const char *message; /* NULL: right */
	} cases[] = {
	    {"u", 1, 1, NULL},
	    {"", 0, 0, NULL},
	    {"", 0, 1, "0 bytes, want 1 to 256"},
	    {"naïve 漢字 🫖", 18, 1, NULL},
	    {"a\nb", 3, 1, "byte 1 is the control character U+000A"},
	    {"a\0b", 3, 1, "byte 1 is the control character U+0000"},
	    {"\x7f", 1, 1, "byte 0 is the control character U+007F"},
	    {"\xc2\x9f", 2, 1, "byte 0 is the control character U+009F"},
	    {"\xc2\xa0", 2, 1, NULL},
	    {"ok\xff", 3, 1, "byte 2 is not valid UTF-8"},
	    {"\xed\xa0\x80", 3, 1, "byte 0 is not valid UTF-8"},
	    {"\xe6\xbc", 2, 1, "byte 0 is not valid UTF-8"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct err err = {0};
		enum status got =
		    identifier_check(cases[i].bytes, cases[i].len, cases[i].min_len, "/user", &err);

		if (cases[i].message == NULL) {
			ck_assert_msg(got == STATUS_OK, "case %zu: %s", i, err.msg);
			continue;
		}
		ck_assert_msg(got == STATUS_INVALID_VALUE, "case %zu", i);
		ck_assert_str_eq(err.param, "/user");
		ck_assert_msg(strstr(err.msg, cases[i].message) != NULL, "case %zu: %s", i,
			      err.msg);
	}
}
END_TEST

START_TEST(length_is_limited_in_bytes)
{
	char name[300];
	struct err err = {0};

	memset(name, 'a', sizeof(name));
	ck_assert_int_eq(identifier_check(name, 256, 1, "", &err), STATUS_OK);
	ck_assert_int_eq(identifier_check(name, 257, 1, "", &err), STATUS_INVALID_VALUE);
	ck_assert_str_eq(err.msg, "257 bytes, want 1 to 256");
}
END_TEST

START_TEST(request_id_is_visible_ascii)
{
	char id[130] = "";

	ck_assert(identifier_is_request_id("a"));
	ck_assert(identifier_is_request_id("req~42!"));
	ck_assert(!identifier_is_request_id(""));
	ck_assert(!identifier_is_request_id("a b"));
	ck_assert(!identifier_is_request_id("a\tb"));
	ck_assert(!identifier_is_request_id("\x7f"));
	ck_assert(!identifier_is_request_id("ü"));
	memset(id, 'x', 128);
	ck_assert(identifier_is_request_id(id));
	id[128] = 'x';
	ck_assert(!identifier_is_request_id(id));
}
END_TEST

static void all_ones(void *bytes, size_t n)
{
	memset(bytes, 0xff, n);
}

static void all_zeros(void *bytes, size_t n)
{
	memset(bytes, 0, n);
}

START_TEST(uuid_has_version_and_variant)
{
	char uuid[UUID_LEN + 1];

	identifier_uuid(all_ones, uuid);
	ck_assert_str_eq(uuid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
	identifier_uuid(all_zeros, uuid);
	ck_assert_str_eq(uuid, "00000000-0000-4000-8000-000000000000");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("identifier");
	TCase *tcase = tcase_create("identifier");

	tcase_add_test(tcase, names_are_valid_utf8_without_control_characters);
	tcase_add_test(tcase, length_is_limited_in_bytes);
	tcase_add_test(tcase, request_id_is_visible_ascii);
	tcase_add_test(tcase, uuid_has_version_and_variant);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
