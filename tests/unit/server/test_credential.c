/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "server/credential.h"
#include "tests/unit/unit.h"

START_TEST(key_is_found_or_there_is_none)
{
	static const struct {
		const char *header, *key; /* NULL: none */
	} cases[] = {
	    {"Bearer abc", "abc"},	{"bEARER    a b", "a b"},
	    {"Basic dTprZXk=", "key"},	/* u:key */
	    {"basic OmtleQ==", "key"},	/* :key */
	    {"Basic dTprOmV5", "k:ey"}, /* u:k:ey */
	    {"Basic dTo=", ""},		/* u: */
	    {"Basic a2V5", NULL},	/* key */
	    {"Basic dTprZXk", NULL},	/* no padding */
	    {"Basic dTprZXk= ", NULL},	{"Basic !", NULL},
	    {"Basic ", NULL},		{"Basic", NULL},
	    {"Bearer ", NULL},		{"Bearer", NULL},
	    {"Bearerabc", NULL},	{"Digest abc", NULL},
	    {" Bearer abc", NULL},	{"", NULL},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct credential credential;
		bool found = credential_read(cases[i].header, &credential);

		ck_assert_msg(found == (cases[i].key != NULL), "case %zu", i);
		if (found) {
			ck_assert_uint_eq(credential.len, strlen(cases[i].key));
			ck_assert_mem_eq(credential.key, cases[i].key, credential.len);
		}
	}
}
END_TEST

START_TEST(long_header_is_no_key)
{
	char header[CREDENTIAL_MAX + 1];
	struct credential credential;

	memset(header, 'x', sizeof(header));
	memcpy(header, "Bearer ", 7);
	header[CREDENTIAL_MAX] = '\0';
	ck_assert(!credential_read(header, &credential));
	header[CREDENTIAL_MAX - 1] = '\0';
	ck_assert(credential_read(header, &credential));
	ck_assert_uint_eq(credential.len, CREDENTIAL_MAX - 8);
}
END_TEST

START_TEST(forgotten_key_is_gone)
{
	static const struct credential empty;
	struct credential credential;

	ck_assert(credential_read("Bearer abc", &credential));
	credential_forget(&credential);
	ck_assert_mem_eq(&credential, &empty, sizeof(empty));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("credential");
	TCase *tcase = tcase_create("credential");

	tcase_add_test(tcase, key_is_found_or_there_is_none);
	tcase_add_test(tcase, long_header_is_no_key);
	tcase_add_test(tcase, forgotten_key_is_gone);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
