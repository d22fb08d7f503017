/* SPDX-License-Identifier: Apache-2.0 */
/* test_encoder_hash.c - the encoder hash:D, through the interface of all encoders */
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "core/base/rng.h"
#include "core/encode/encoder.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/unit.h"

#define DIM 4096

static struct encoder *encoder;
static struct features rows;

static void open_hash(void)
{
	ck_assert_int_eq(encoder_open("hash:4096", &encoder, NULL), STATUS_OK);
	features_init(&rows, DIM, true);
}

static void close_hash(void)
{
	features_free(&rows);
	encoder_close(encoder);
}

static void encode_bytes(const char *bytes, size_t len)
{
	const struct text text = {bytes, len};

	ck_assert_int_eq(encoder_encode(encoder, &text, 1, &rows, NULL), STATUS_OK);
}

static void encode(const char *text)
{
	encode_bytes(text, strlen(text));
}

static bool rows_equal(size_t a, size_t b)
{
	struct feature_row x = features_row(&rows, a), y = features_row(&rows, b);

	return x.n_values == y.n_values &&
	       memcmp(x.index, y.index, x.n_values * sizeof(*x.index)) == 0 &&
	       memcmp(x.value, y.value, x.n_values * sizeof(*x.value)) == 0;
}

START_TEST(hash_agrees_with_the_reference_to_the_last_bit)
{
	json_t *golden = golden_open(TESTS_DIR "/golden/encoder.json");
	const json_t *texts = golden_get(golden, "texts");
	const json_t *cases = golden_get(golden, "rows");

	ck_assert_uint_gt(json_array_size(cases), 0);
	for (size_t i = 0; i < json_array_size(cases); i++) {
		const json_t *item = json_array_get(cases, i);
		const json_t *index = golden_get(item, "index");
		const json_t *value = golden_get(item, "value");
		const json_t *string =
		    golden_get(json_array_get(texts, (size_t)golden_number(item, "text")), "text");
		const struct text text = {json_string_value(string), json_string_length(string)};
		struct encoder *e;
		struct features out;
		struct feature_row row;
		char spec[32];

		snprintf(spec, sizeof(spec), "hash:%.0f", golden_number(item, "dim"));
		ck_assert_int_eq(encoder_open(spec, &e, NULL), STATUS_OK);
		features_init(&out, encoder_dim(e), true);
		ck_assert_int_eq(encoder_encode(e, &text, 1, &out, NULL), STATUS_OK);
		row = features_row(&out, 0);
		ck_assert_msg(row.n_values == json_array_size(index), "case %zu: %zu values", i,
			      row.n_values);
		for (size_t k = 0; k < row.n_values; k++) {
			ck_assert_msg(
			    row.index[k] == json_integer_value(json_array_get(index, k)) &&
				(double)row.value[k] == json_number_value(json_array_get(value, k)),
			    "case %zu, value %zu: %u: %.9g", i, k, row.index[k],
			    (double)row.value[k]);
		}
		features_free(&out);
		encoder_close(e);
	}
	json_decref(golden);
}
END_TEST

START_TEST(hash_gives_unit_rows_with_ascending_indices)
{
	static const char *const texts[] = {"a", "one two three", "the the the cat", "日本語"};

	for (size_t i = 0; i < LENGTH(texts); i++) {
		struct feature_row row;
		double square = 0;

		encode(texts[i]);
		row = features_row(&rows, i);
		for (size_t k = 0; k < row.n_values; k++) {
			square += (double)row.value[k] * (double)row.value[k];
			ck_assert_uint_lt(row.index[k], DIM);
			ck_assert(k == 0 || row.index[k] > row.index[k - 1]);
		}
		ck_assert_msg(fabs(square - 1) <= 1e-6, "text %zu: %g", i, square);
	}
}
END_TEST

START_TEST(hash_of_no_words_is_the_zero_row)
{
	static const char *const texts[] = {"", " \n", "...", "\u0301", "👍"};

	for (size_t i = 0; i < LENGTH(texts); i++) {
		encode(texts[i]);
		ck_assert_msg(features_row(&rows, i).n_values == 0, "text %zu", i);
	}
	encode_bytes(NULL, 0);
	ck_assert_uint_eq(features_row(&rows, LENGTH(texts)).n_values, 0);
}
END_TEST

START_TEST(hash_takes_equal_spellings_as_equal)
{
	static const struct {
		const char *a, *b;
	} cases[] = {
	    {"café", "cafe\u0301"},
	    {"Hello, World!", "hello world"},
	    {"Don’t", "don't"},
	    {"한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"},
	    {"a\u0323\u0307", "a\u0307\u0323"},
	    {"ΣΑΣ", "σασ"},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		encode(cases[i].a);
		encode(cases[i].b);
		ck_assert_msg(rows_equal(2 * i, 2 * i + 1), "case %zu", i);
		ck_assert_uint_gt(features_row(&rows, 2 * i).n_values, 0);
	}
}
END_TEST

START_TEST(hash_takes_order_and_number_of_words_into_account)
{
	encode("man bites dog");
	encode("dog bites man");
	encode("man bites dog dog");
	ck_assert(!rows_equal(0, 1));
	ck_assert(!rows_equal(0, 2));
}
END_TEST

/* ---- the row by its definition ---- */

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t hash_of(const char *bytes, size_t len)
{
	unsigned char out[8];
	uint64_t hash = 0;

	crypto_shorthash(out, (const unsigned char *)bytes, len,
			 (const unsigned char *)"micro/1 hash key");
	for (size_t i = 0; i < 8; i++)
		hash |= (uint64_t)out[i] << (8 * i);
	return hash;
}

/* x [DIM] of a text that consists of words and single spaces */
static void row_by_definition(const char *text, size_t len, float *x)
{
	static uint64_t hash[20000];
	double sum[DIM] = {0}, square = 0;
	size_t n = 0, previous = 0, begin = 0;

	for (size_t end = 0; end <= len; end++) {
		if (end < len && text[end] != ' ')
			continue;
		hash[n++] = hash_of(text + begin, end - begin);
		if (begin > 0)
			hash[n++] = hash_of(text + previous, end - previous);
		previous = begin;
		begin = end + 1;
	}
	qsort(hash, n, sizeof(*hash), compare_numbers);
	for (size_t i = 0, next; i < n; i = next) {
		for (next = i; next < n && hash[next] == hash[i];)
			next++;
		sum[(unsigned __int128)hash[i] * DIM >> 64] +=
		    (hash[i] & 1 ? -1 : 1) * sqrt((double)(next - i));
	}
	for (size_t d = 0; d < DIM; d++)
		square += sum[d] * sum[d];
	for (size_t d = 0; d < DIM; d++)
		x[d] = (float)(sum[d] / sqrt(square));
}

/* n_words words, of which n_kinds are different. */
static size_t make_text(struct rng *rng, size_t n_words, uint64_t n_kinds, char *text)
{
	size_t len = 0;

	for (size_t i = 0; i < n_words; i++)
		len += (size_t)sprintf(text + len, "%sw%llu", i == 0 ? "" : " ",
				       (unsigned long long)rng_below(rng, n_kinds));
	return len;
}

/* Few words and many, mostly different ones and nearly equal ones: bins of every size. */
START_TEST(hash_is_its_definition_to_the_last_bit)
{
	static const uint64_t n_kinds[] = {1, 2, 5, 50, 1000, 1000000};
	static char text[9000 * 8];
	static float got[DIM], want[DIM];
	struct rng rng;

	rng_init(&rng, 11);
	for (size_t n = 1; n < 9000; n += 1 + n / 5) {
		for (size_t k = 0; k < LENGTH(n_kinds); k++) {
			size_t len = make_text(&rng, n, n_kinds[k], text);

			rows.n_rows = 0;
			encode_bytes(text, len);
			feature_row_copy(features_row(&rows, 0), got);
			row_by_definition(text, len, want);
			ck_assert_msg(memcmp(got, want, sizeof(got)) == 0, "%zu words of %llu", n,
				      (unsigned long long)n_kinds[k]);
		}
	}
}
END_TEST

START_TEST(hash_row_does_not_depend_on_the_other_texts)
{
	const struct text texts[] = {{"one two", 7}, {"", 0}, {"three", 5}, {"one two", 7}};

	ck_assert_int_eq(encoder_encode(encoder, texts, LENGTH(texts), &rows, NULL), STATUS_OK);
	for (size_t i = 0; i < LENGTH(texts); i++)
		encode_bytes(texts[i].bytes, texts[i].len);
	for (size_t i = 0; i < LENGTH(texts); i++)
		ck_assert_msg(rows_equal(i, LENGTH(texts) + i), "text %zu", i);
}
END_TEST

START_TEST(encode_refuses_invalid_utf8_at_its_offset)
{
	static const struct {
		const char *bytes;
		size_t len, offset;
	} cases[] = {
	    {"\xff", 1, 0},
	    {"ab\x80", 3, 2},
	    {"ab\xc3", 3, 2},			     /* cut short */
	    {"\xc0\xaf", 2, 0},			     /* overlong */
	    {"x\xed\xa0\x80", 4, 1},		     /* surrogate */
	    {"caf\xc3\xa9 \xf4\x90\x80\x80", 10, 6}, /* beyond U+10FFFF */
	    {"\xe2\x82", 2, 0},
	};

	encode("stays");
	for (size_t i = 0; i < LENGTH(cases); i++) {
		const struct text texts[] = {{"good", 4}, {cases[i].bytes, cases[i].len}};
		char want[100];
		struct err err;

		snprintf(want, sizeof(want), "the text is not valid UTF-8 at byte %zu",
			 cases[i].offset);
		ck_assert_msg(encoder_encode(encoder, texts, 2, &rows, &err) == STATUS_MALFORMED,
			      "case %zu", i);
		ck_assert_msg(strcmp(err.msg, want) == 0, "case %zu: \"%s\"", i, err.msg);
		ck_assert_uint_eq(rows.n_rows, 1);
	}
	encode("stays");
	ck_assert(rows_equal(0, 1));
}
END_TEST

/* The longest ASCII beginning is looked at by other means than the rest. */
START_TEST(encode_refuses_invalid_utf8_wherever_it_stands)
{
	char bytes[200];

	for (size_t at = 0; at < sizeof(bytes); at++) {
		const struct text text = {bytes, sizeof(bytes)};
		char want[100];
		struct err err;

		memset(bytes, 'x', sizeof(bytes));
		bytes[at] = '\x80';
		snprintf(want, sizeof(want), "the text is not valid UTF-8 at byte %zu", at);
		ck_assert_int_eq(encoder_encode(encoder, &text, 1, &rows, &err), STATUS_MALFORMED);
		ck_assert_str_eq(err.msg, want);
	}
}
END_TEST

#define N_THREADS 4
#define N_REPEATS 200

static const char thread_text[] = "Threads don’t see each other: 日本語 Ёлка.";

static void *encode_often(void *out)
{
	const struct text text = {thread_text, sizeof(thread_text) - 1};

	for (size_t i = 0; i < N_REPEATS; i++) {
		if (encoder_encode(encoder, &text, 1, out, NULL) != STATUS_OK)
			return out;
	}
	return NULL;
}

START_TEST(encode_may_run_in_many_threads)
{
	pthread_t threads[N_THREADS];
	struct features out[N_THREADS];
	float want[DIM], got[DIM];

	encode(thread_text);
	feature_row_copy(features_row(&rows, 0), want);
	for (size_t t = 0; t < N_THREADS; t++) {
		features_init(&out[t], DIM, true);
		ck_assert_int_eq(pthread_create(&threads[t], NULL, encode_often, &out[t]), 0);
	}
	for (size_t t = 0; t < N_THREADS; t++) {
		void *failed;

		pthread_join(threads[t], &failed);
		ck_assert_ptr_null(failed);
		for (size_t i = 0; i < N_REPEATS; i++) {
			feature_row_copy(features_row(&out[t], i), got);
			ck_assert_mem_eq(got, want, sizeof(want));
		}
		features_free(&out[t]);
	}
}
END_TEST

/* ---- fingerprint ---- */

START_TEST(fingerprint_is_always_the_same_unit_vector)
{
	float first[DIM], second[DIM];
	double square = 0;

	ck_assert_int_eq(encoder_fingerprint(encoder, first, NULL), STATUS_OK);
	ck_assert_int_eq(encoder_fingerprint(encoder, second, NULL), STATUS_OK);
	ck_assert_mem_eq(first, second, sizeof(first));
	for (size_t i = 0; i < DIM; i++)
		square += (double)first[i] * (double)first[i];
	ck_assert_msg(fabs(square - 1) <= 1e-6, "%g", square);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("encoder_hash");
	TCase *tcase = tcase_create("encoder_hash");

	tcase_add_checked_fixture(tcase, open_hash, close_hash);
	tcase_add_test(tcase, hash_agrees_with_the_reference_to_the_last_bit);
	tcase_add_test(tcase, hash_gives_unit_rows_with_ascending_indices);
	tcase_add_test(tcase, hash_of_no_words_is_the_zero_row);
	tcase_add_test(tcase, hash_takes_equal_spellings_as_equal);
	tcase_add_test(tcase, hash_takes_order_and_number_of_words_into_account);
	tcase_add_test(tcase, hash_is_its_definition_to_the_last_bit);
	tcase_add_test(tcase, hash_row_does_not_depend_on_the_other_texts);
	tcase_add_test(tcase, encode_refuses_invalid_utf8_at_its_offset);
	tcase_add_test(tcase, encode_refuses_invalid_utf8_wherever_it_stands);
	tcase_add_test(tcase, encode_may_run_in_many_threads);
	tcase_add_test(tcase, fingerprint_is_always_the_same_unit_vector);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
