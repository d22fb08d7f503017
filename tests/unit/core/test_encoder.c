/* SPDX-License-Identifier: Apache-2.0 */
/* test_encoder.c - which encoders there are, and the one that reads no text */
#include <stdio.h>
#include <string.h>

#include "core/encode/encoder.h"
#include "tests/unit/unit.h"

/* ---- encoder_open ---- */

START_TEST(open_knows_the_specs)
{
	static const struct {
		const char *spec, *canonical;
		size_t dim;
		bool is_hash;
	} cases[] = {
	    {"hash:4096", "hash:4096", 4096, true},
	    {"hash:1", "hash:1", 1, true},
	    {"hash:1048576", "hash:1048576", 1048576, true},
	    {"hash:0064", "hash:64", 64, true},
	    {"none:384", "none:384", 384, false},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct encoder *e;

		ck_assert_msg(encoder_open(cases[i].spec, &e, NULL) == STATUS_OK, "case %zu", i);
		ck_assert_str_eq(encoder_spec(e), cases[i].canonical);
		ck_assert_uint_eq(encoder_dim(e), cases[i].dim);
		ck_assert_int_eq(encoder_is_sparse(e), cases[i].is_hash);
		ck_assert_int_eq(encoder_reads_text(e), cases[i].is_hash);
		encoder_close(e);
	}
	encoder_close(NULL);
}
END_TEST

START_TEST(open_knows_the_default)
{
	struct encoder *e;

	ck_assert_int_eq(encoder_open(ENCODER_DEFAULT_SPEC, &e, NULL), STATUS_OK);
	ck_assert_str_eq(encoder_spec(e), ENCODER_DEFAULT_SPEC);
	encoder_close(e);
}
END_TEST

START_TEST(open_refuses_other_specs)
{
	static const char *const specs[] = {
	    "",
	    "hash",
	    "hash:",
	    "hash:0",
	    "hash:1048577",
	    "hash:-1",
	    "hash:+1",
	    "hash: 1",
	    "hash:1x",
	    "hash:0x10",
	    "Hash:64",
	    "hashed:1",
	    "hash:99999999999999999999",
	    "none:",
	    "none",
	    "bert:1",
	    "hash:1:1",
	    "hash:1.5",
	};

	for (size_t i = 0; i < LENGTH(specs); i++) {
		char want[200];
		struct encoder *e;
		struct err err;

		snprintf(want, sizeof(want),
			 "encoder \"%s\": want hash:D, none:D, openai:D?model=NAME or "
			 "tei:D?normalize=false with D from 1 to 1048576, such "
			 "as " ENCODER_DEFAULT_SPEC,
			 specs[i]);
		ck_assert_msg(encoder_open(specs[i], &e, &err) == STATUS_INVALID_VALUE, "case %zu",
			      i);
		ck_assert_str_eq(err.msg, want);
	}
}
END_TEST

/* ---- none:D ---- */

START_TEST(none_reads_no_text)
{
	const struct text text = {"a", 1};
	struct encoder *none;
	struct features out;
	struct err err;

	ck_assert_int_eq(encoder_open("none:3", &none, NULL), STATUS_OK);
	features_init(&out, 3, false);
	ck_assert_int_eq(encoder_encode(none, &text, 1, &out, &err), STATUS_INVALID_TYPE);
	ck_assert_str_eq(err.msg, "the encoder none:3 reads no text, want a vector of 3 numbers");
	ck_assert_uint_eq(out.n_rows, 0);
	features_free(&out);
	encoder_close(none);
}
END_TEST

START_TEST(fingerprint_of_none_is_zero)
{
	float vector[3] = {1, 2, 3};
	struct encoder *none;

	ck_assert_int_eq(encoder_open("none:3", &none, NULL), STATUS_OK);
	ck_assert_int_eq(encoder_fingerprint(none, vector, NULL), STATUS_OK);
	for (size_t i = 0; i < 3; i++)
		ck_assert(vector[i] == 0);
	encoder_close(none);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encoder");
	TCase *open = tcase_create("open");
	TCase *none = tcase_create("none");

	tcase_add_test(open, open_knows_the_specs);
	tcase_add_test(open, open_knows_the_default);
	tcase_add_test(open, open_refuses_other_specs);
	suite_add_tcase(suite, open);
	tcase_add_test(none, none_reads_no_text);
	tcase_add_test(none, fingerprint_of_none_is_zero);
	suite_add_tcase(suite, none);
	return unit_run(suite);
}
