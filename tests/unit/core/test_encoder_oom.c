/* SPDX-License-Identifier: Apache-2.0 */
/* test_encoder_oom.c - every allocation of the encoder, templates and base64 fails in turn. */
#include <string.h>

#include "core/base/base64.h"
#include "core/base/mem.h"
#include "core/encode/encoder.h"
#include "core/encode/template.h"
#include "tests/unit/mem_failing.h"
#include "tests/unit/unit.h"

#define MAX_ALLOCATIONS 100

START_TEST(open_survives_a_failed_allocation)
{
	struct encoder *encoder = NULL;
	struct err err;

	mem_fail_after(0);
	ck_assert_int_eq(encoder_open("hash:64", &encoder, &err), STATUS_NO_MEMORY);
	mem_fail_after(-1);
	ck_assert_ptr_null(encoder);
	ck_assert_str_eq(err.msg, "out of memory for an encoder");
}
END_TEST

/* ASCII, a stretch that is normalized, one that is longer, and more words than fit anywhere. */
START_TEST(encode_survives_any_failed_allocation_and_keeps_the_rows_before)
{
	static char bytes[10000] = "Text, cafe\u0301, longer: 日本語日本語日本語日本語日本語";
	const struct text texts[] = {{"first", 5}, {bytes, sizeof(bytes)}};
	enum status status = STATUS_NO_MEMORY;
	struct encoder *encoder;
	struct features rows;
	long n;

	for (size_t i = strlen(bytes); i < sizeof(bytes); i++)
		bytes[i] = i % 2 == 0 ? ' ' : (char)('a' + i % 26);
	ck_assert_int_eq(encoder_open("hash:64", &encoder, NULL), STATUS_OK);
	features_init(&rows, 64, true);
	ck_assert_int_eq(encoder_encode(encoder, texts, 1, &rows, NULL), STATUS_OK);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		struct err err;

		mem_fail_after(n);
		status = encoder_encode(encoder, texts, 2, &rows, &err);
		mem_fail_after(-1);
		ck_assert_msg(status == STATUS_OK || status == STATUS_NO_MEMORY,
			      "allocation %ld: %s", n, err.msg);
		ck_assert_uint_eq(rows.n_rows, status == STATUS_OK ? 3 : 1);
		ck_assert_uint_gt(features_row(&rows, 0).n_values, 0);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 6);
	features_free(&rows);
	encoder_close(encoder);
}
END_TEST

START_TEST(fingerprint_survives_any_failed_allocation)
{
	enum status status = STATUS_NO_MEMORY;
	struct encoder *encoder;
	float vector[64];
	long n;

	ck_assert_int_eq(encoder_open("hash:64", &encoder, NULL), STATUS_OK);
	for (n = 0; n < MAX_ALLOCATIONS && status != STATUS_OK; n++) {
		mem_fail_after(n);
		status = encoder_fingerprint(encoder, vector, NULL);
		mem_fail_after(-1);
		ck_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
	}
	ck_assert_int_eq(status, STATUS_OK);
	ck_assert_int_gt(n, 5);
	encoder_close(encoder);
}
END_TEST

START_TEST(template_render_survives_a_failed_allocation)
{
	const struct template_fields fields = {.prompt = {"P", 1}};
	struct text text = {0};
	struct err err;

	mem_fail_after(0);
	ck_assert_int_eq(template_render("{prompt}", &fields, &text, &err), STATUS_NO_MEMORY);
	mem_fail_after(-1);
	ck_assert_ptr_null(text.bytes);
	ck_assert_str_eq(err.msg, "out of memory for a text");
}
END_TEST

START_TEST(base64_survives_a_failed_allocation)
{
	const float x[] = {1, 2};

	mem_fail_after(0);
	ck_assert_ptr_null(base64_encode_floats(x, 2));
	mem_fail_after(-1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encoder out of memory");
	TCase *tcase = tcase_create("sweep");

	tcase_add_test(tcase, open_survives_a_failed_allocation);
	tcase_add_test(tcase, encode_survives_any_failed_allocation_and_keeps_the_rows_before);
	tcase_add_test(tcase, fingerprint_survives_any_failed_allocation);
	tcase_add_test(tcase, template_render_survives_a_failed_allocation);
	tcase_add_test(tcase, base64_survives_a_failed_allocation);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
