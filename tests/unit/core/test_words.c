/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistr.h>

#include "core/base/digest.h"
#include "core/encode/words.h"
#include "tests/unit/core/golden_fixture.h"
#include "tests/unit/unit.h"

static struct words words;

static void set_up(void)
{
	words_init(&words);
}

static void tear_down(void)
{
	words_free(&words);
}

static void split(const char *bytes, size_t len)
{
	/* of exactly its length, so that a sanitizer sees a read past the end */
	char *copy = malloc(len);

	memcpy(copy, bytes, len);
	ck_assert_int_eq(words_split((struct text){copy, len}, &words, NULL), STATUS_OK);
	free(copy);
}

START_TEST(split_finds_the_words)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"", ""},
	    {" ,;", ""},
	    {"One, two.", "one two "},
	    {"a-b_c", "a b c "},
	    {"don't", "don't "},
	    {"don’t", "don't "},
	    {"'tis the dogs' 'n' it''s", "tis the dogs n it s "},
	    {"a'", "a "},
	    {"'", ""},
	    {"a'漢", "a 漢 "},
	    {"abc123 4", "abc123 4 "},
	    {"ÄÖÜ", "äöü "},
	    {"A\u0308", "ä "},
	    {"\u0308a", "a "},
	    {"日本go", "日 本 go "},
	    {"が", "が "},
	    {"か\u3099", "が "},
	    {"ที่", "ที่ "},
	    {"กข", "ก ข "},
	    {"❤\uFE0F", ""},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		split(cases[i].text, strlen(cases[i].text));
		ck_assert_msg(words.len == strlen(cases[i].want) &&
				  memcmp(words.bytes, cases[i].want, words.len) == 0,
			      "case %zu: \"%.*s\", want \"%s\"", i, (int)words.len, words.bytes,
			      cases[i].want);
	}
}
END_TEST

/* ---- any order of characters, by the definition ---- */

enum class { LETTER, APOSTROPHE, ALONE, OTHER };

static const struct {
	const char *spelt, *lower;
	enum class class;
} characters[] = {{"b", "b", LETTER}, {"Z", "z", LETTER}, {"'", "'", APOSTROPHE},
		  {" ", " ", OTHER},  {"É", "é", LETTER}, {"漢", "漢", ALONE}};

/* The words of characters[which[i]], each and a space, into out. */
static size_t split_by_definition(const size_t *which, size_t n, char *out)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		enum class class = characters[which[i]].class;
		enum class next = i + 1 < n ? characters[which[i + 1]].class : OTHER;
		enum class before = i > 0 ? characters[which[i - 1]].class : OTHER;
		bool inside =
		    class == LETTER || (class == APOSTROPHE && before == LETTER && next == LETTER);
		bool goes_on = class == LETTER &&
			       (next == LETTER || (next == APOSTROPHE && i + 2 < n &&
						   characters[which[i + 2]].class == LETTER));

		if (inside || class == ALONE)
			len += (size_t)sprintf(out + len, "%s", characters[which[i]].lower);
		if (class == ALONE || (class == LETTER && !goes_on))
			out[len++] = ' ';
	}
	return len;
}

START_TEST(split_takes_characters_in_any_order)
{
	enum { N = 7 };
	size_t n_texts = 1;

	for (size_t i = 0; i < N; i++)
		n_texts *= LENGTH(characters);
	for (size_t number = 0; number < n_texts; number++) {
		size_t which[N], len = 0, rest = number;
		char text[4 * N], want[4 * N + N];

		for (size_t i = 0; i < N; i++, rest /= LENGTH(characters)) {
			which[i] = rest % LENGTH(characters);
			len += (size_t)sprintf(text + len, "%s", characters[which[i]].spelt);
		}
		size_t want_len = split_by_definition(which, N, want);

		split(text, len);
		ck_assert_msg(words.len == want_len && memcmp(words.bytes, want, want_len) == 0,
			      "\"%.*s\": \"%.*s\", want \"%.*s\"", (int)len, text, (int)words.len,
			      words.bytes, (int)want_len, want);
	}
}
END_TEST

/* Around the lengths for which it asks for memory, and where it looks at eight bytes at once. */
START_TEST(split_takes_texts_of_any_length)
{
	static const size_t lengths[] = {1,    7,    8,	   9,	 15,   16,   17,   2040,
					 2046, 2047, 2048, 2049, 4095, 4096, 4097, 20000};

	for (size_t i = 0; i < LENGTH(lengths); i++) {
		for (size_t mark = 0; mark < 3; mark++) {
			size_t len = lengths[i];
			char *text = malloc(len + 2);

			memset(text, 'A', len);
			memcpy(text + len, mark == 1 ? "é" : " .", 2);
			split(text, mark == 2 ? len : len + 2);
			ck_assert_uint_eq(words.len, (mark == 1 ? len + 2 : len) + 1);
			for (size_t at = 0; at < len; at++)
				ck_assert_int_eq(words.bytes[at], 'a');
			free(text);
		}
	}
}
END_TEST

START_TEST(split_takes_nul_as_a_character)
{
	split("a\0b", 3);
	ck_assert_uint_eq(words.len, 4);
	ck_assert_mem_eq(words.bytes, "a b ", 4);
}
END_TEST

START_TEST(split_replaces_the_words_before)
{
	split("one two three", 13);
	split("four", 4);
	ck_assert_uint_eq(words.len, 5);
	ck_assert_mem_eq(words.bytes, "four ", 5);
}
END_TEST

/* libunistring has a buffer of its own for up to 64 marks, and allocates for more. */
START_TEST(split_takes_any_number_of_marks)
{
	enum { N_MARKS = 1000 };
	char text[1 + 2 * N_MARKS] = "a";

	for (size_t i = 0; i < N_MARKS; i++)
		memcpy(text + 1 + 2 * i, i % 2 == 0 ? "\u0323" : "\u0307", 2);
	split(text, sizeof(text));
	/* the first mark is part of the letter now: ạ has three bytes */
	ck_assert_uint_eq(words.len, 3 + 2 * (N_MARKS - 1) + 1);
}
END_TEST

START_TEST(split_agrees_with_the_reference)
{
	json_t *golden = golden_open(TESTS_DIR "/golden/encoder.json");
	const json_t *texts = golden_get(golden, "texts");

	ck_assert_uint_gt(json_array_size(texts), 0);
	for (size_t i = 0; i < json_array_size(texts); i++) {
		const json_t *item = json_array_get(texts, i);
		const json_t *text = golden_get(item, "text");
		const json_t *want = golden_get(item, "words");
		size_t at = 0;

		split(json_string_value(text), json_string_length(text));
		for (size_t k = 0; k < json_array_size(want); k++) {
			const json_t *word = json_array_get(want, k);
			size_t len = json_string_length(word);

			ck_assert_msg(
			    at + len < words.len &&
				memcmp(words.bytes + at, json_string_value(word), len) == 0 &&
				words.bytes[at + len] == ' ',
			    "text %zu, word %zu: \"%.*s\"", i, k, (int)words.len, words.bytes);
			at += len + 1;
		}
		ck_assert_msg(at == words.len, "text %zu", i);
	}
	json_decref(golden);
}
END_TEST

/* As a whole, the classes, cases and compositions of all characters. */
START_TEST(split_agrees_with_the_reference_on_every_character)
{
	json_t *golden = golden_open(TESTS_DIR "/golden/encoder.json");
	char hex[DIGEST_HEX_LEN + 1];
	struct digest digest;

	digest_init(&digest);
	for (ucs4_t c = 1; c < 0x110000; c++) {
		uint8_t text[8] = "x";
		int n = u8_uctomb(text + 1, c, 6);

		if (n < 0)
			continue; /* surrogates */
		text[1 + n] = 'y';
		ck_assert_int_eq(
		    words_split((struct text){(char *)text, (size_t)n + 2}, &words, NULL),
		    STATUS_OK);
		words.bytes[words.len - 1] = '\n';
		digest_add(&digest, words.bytes, words.len);
	}
	digest_hex(&digest, hex);
	ck_assert_msg(strcmp(hex, json_string_value(golden_get(golden, "code_points_sha256"))) == 0,
		      "are libunistring's Unicode tables of version 14?");
	json_decref(golden);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("words");
	TCase *tcase = tcase_create("words");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, split_finds_the_words);
	tcase_add_test(tcase, split_takes_characters_in_any_order);
	tcase_add_test(tcase, split_takes_texts_of_any_length);
	tcase_add_test(tcase, split_takes_nul_as_a_character);
	tcase_add_test(tcase, split_replaces_the_words_before);
	tcase_add_test(tcase, split_takes_any_number_of_marks);
	tcase_add_test(tcase, split_agrees_with_the_reference);
	tcase_add_test(tcase, split_agrees_with_the_reference_on_every_character);
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 60);
	return unit_run(suite);
}
