/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "server/buffer.h"
#include "tests/unit/unit.h"

static void assert_holds(const struct buffer *buffer, const char *want)
{
	ck_assert_msg(buffer->len == strlen(want) && memcmp(buffer->bytes, want, buffer->len) == 0,
		      "\"%.*s\", want \"%s\"", (int)buffer->len, buffer->bytes, want);
}

/* ---- append ---- */

START_TEST(appends_keep_their_order_while_it_grows)
{
	struct buffer buffer = {0};

	for (unsigned i = 0; i < 2000; i++)
		buffer_add_uint(&buffer, i % 10);
	ck_assert_uint_eq(buffer.len, 2000);
	for (unsigned i = 0; i < 2000; i++)
		ck_assert_int_eq(buffer.bytes[i], '0' + (int)(i % 10));
	ck_assert_int_eq(buffer_status(&buffer, "x", NULL), STATUS_OK);
	buffer_free(&buffer);
	ck_assert_ptr_null(buffer.bytes);
}
END_TEST

START_TEST(nothing_added_needs_no_memory)
{
	struct buffer buffer = {0};

	buffer_add(&buffer, NULL, 0);
	buffer_add_string(&buffer, "");
	ck_assert_ptr_null(buffer.bytes);
	buffer_free(&buffer);
}
END_TEST

START_TEST(largest_integer_is_written)
{
	struct buffer buffer = {0};

	buffer_add_uint(&buffer, UINT64_MAX);
	assert_holds(&buffer, "18446744073709551615");
	buffer_free(&buffer);
}
END_TEST

/* ---- numbers ---- */

START_TEST(number_is_the_shortest_decimal)
{
	static const struct {
		double x;
		const char *want;
	} cases[] = {
	    {0, "0"},
	    {-0.0, "-0"},
	    {1, "1"},
	    {0.1, "0.1"},
	    {0.1 + 0.2, "0.30000000000000004"},
	    {-2.5, "-2.5"},
	    {1e21, "1e+21"},
	    {123456789012345680, "1.2345678901234568e+17"},
	    {1e-7, "1e-07"},
	    {5e-324, "5e-324"},
	    {DBL_MAX, "1.7976931348623157e+308"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct buffer buffer = {0};

		buffer_add_number(&buffer, cases[i].x);
		assert_holds(&buffer, cases[i].want);
		buffer_free(&buffer);
	}
}
END_TEST

START_TEST(number_reads_back_to_the_same_bits)
{
	struct rng rng;

	rng_init(&rng, 7);
	for (int i = 0; i < 20000; i++) {
		struct buffer buffer = {0};
		uint64_t bits = rng_next(&rng);
		double x, back;

		memcpy(&x, &bits, sizeof(x));
		if (!isfinite(x))
			continue;
		buffer_add_number(&buffer, x);
		buffer_add(&buffer, "", 1);
		back = strtod(buffer.bytes, NULL);
		ck_assert_msg(memcmp(&x, &back, sizeof(x)) == 0, "%a became %s", x, buffer.bytes);
		buffer_free(&buffer);
	}
}
END_TEST

/* ---- strings ---- */

START_TEST(string_is_escaped_as_json_wants)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
	    {"", "\"\""},
	    {"plain", "\"plain\""},
	    {"\"\\/", "\"\\\"\\\\/\""},
	    {"\n\r\t\b\x01\x1f\x7f", "\"\\n\\r\\t\\u0008\\u0001\\u001f\\u007f\""},
	    {"naïve 漢字 🫖", "\"naïve 漢字 🫖\""},
	    {"cut \xe6\xbc", "\"cut \xef\xbf\xbd\xef\xbf\xbd\""},
	    {"\xff", "\"\xef\xbf\xbd\""},
	    {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct buffer buffer = {0};

		buffer_add_quoted(&buffer, cases[i].text, strlen(cases[i].text));
		assert_holds(&buffer, cases[i].want);
		buffer_free(&buffer);
	}
}
END_TEST

/* An independent parser agrees, whatever the bytes are. */
START_TEST(random_bytes_make_valid_json)
{
	struct rng rng;

	rng_init(&rng, 8);
	for (int i = 0; i < 2000; i++) {
		struct buffer buffer = {0};
		char bytes[64];
		size_t n = rng_below(&rng, sizeof(bytes));

		for (size_t j = 0; j < n; j++)
			bytes[j] = (char)(1 + rng_below(&rng, 255));
		buffer_add_quoted(&buffer, bytes, n);
		json_t *json = json_loadb(buffer.bytes, buffer.len, JSON_DECODE_ANY, NULL);
		ck_assert_msg(json != NULL, "round %d: %.*s", i, (int)buffer.len, buffer.bytes);
		json_decref(json);
		buffer_free(&buffer);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("buffer");
	TCase *append = tcase_create("append");
	TCase *numbers = tcase_create("numbers");
	TCase *strings = tcase_create("strings");

	tcase_add_test(append, appends_keep_their_order_while_it_grows);
	tcase_add_test(append, nothing_added_needs_no_memory);
	tcase_add_test(append, largest_integer_is_written);
	suite_add_tcase(suite, append);
	tcase_add_test(numbers, number_is_the_shortest_decimal);
	tcase_add_test(numbers, number_reads_back_to_the_same_bits);
	suite_add_tcase(suite, numbers);
	tcase_add_test(strings, string_is_escaped_as_json_wants);
	tcase_add_test(strings, random_bytes_make_valid_json);
	suite_add_tcase(suite, strings);
	return unit_run(suite);
}
