/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistr.h>

#include "core/json/quoted.h"
#include "tests/unit/unit.h"

static void assert_decoded(const char *text, const char *want)
{
	struct quoted quoted;
	char out[512];
	size_t n;

	ck_assert_msg(quoted_scan(text, text + strlen(text), &quoted) == QUOTED_OK, "%s", text);
	ck_assert_msg(*quoted.end == '"', "%s: ends at %s", text, quoted.end);
	n = quoted_decode(&quoted, out);
	ck_assert_msg(n == strlen(want) && memcmp(out, want, n) == 0, "%s: %.*s, want %s", text,
		      (int)n, out, want);
	ck_assert_int_eq(quoted.escaped, strchr(text, '\\') != NULL);
}

START_TEST(escapes_are_decoded)
{
	assert_decoded("\"", "");
	assert_decoded("plain\"rest", "plain");
	assert_decoded("\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
	assert_decoded("\\u0041\\u00e9\\u20AC\\ud83e\\uded6 end\"", "Aé€🫖 end");
	assert_decoded("\\u0001\\u007f\\u0080\\u07ff\\u0800\\uffff\\ud800\\udc00\\udbff\\udfff\"",
		       "\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80"
		       "\xf4\x8f\xbf\xbf");
}
END_TEST

/* Words and blocks of characters are looked at together: wherever something stands in them. */
START_TEST(special_characters_are_seen_at_every_place)
{
	static const char specials[] = {'\x01', '\x1f', '"', '\\', '\x80', '\xff', '\n'};
	char text[256];

	for (size_t len = 1; len < 200; len++) {
		for (size_t at = 0; at < len; at++) {
			char special = specials[(at + len) % sizeof(specials)];
			struct quoted quoted;
			enum quoted_fault fault;

			memset(text, 0x7f - (int)(at % 7), len);
			memset(text, 'x', at);
			text[at] = special;
			text[len] = '\0';
			fault = quoted_scan(text, text + len, &quoted);
			ck_assert_msg(quoted.end == text + at, "%zu of %zu: stopped at %td", at,
				      len, quoted.end - text);
			ck_assert_msg((fault == QUOTED_OK) == (special == '"'), "%zu of %zu", at,
				      len);
		}
	}
}
END_TEST

/* Against libunistring: every sequence of two bytes, and of three and four where it matters. */
START_TEST(utf8_is_what_rfc_3629_says)
{
	static const unsigned char more[] = {0x22, 0x7f, 0x80, 0xbf, 0xc0};
	const unsigned n_more = sizeof(more);

	for (unsigned code = 0; code < 128 * 256 * n_more * n_more; code++) {
		unsigned char text[6] = {(unsigned char)(0x80 + code % 128),
					 (unsigned char)(code / 128 % 256),
					 more[code / 128 / 256 % n_more],
					 more[code / 128 / 256 / n_more],
					 '"',
					 '\0'};
		const char *begin = (const char *)text, *end = begin + sizeof(text) - 1;
		ucs4_t c;
		int len = u8_mbtoucr(&c, text, 5);
		struct quoted quoted;
		enum quoted_fault fault = quoted_scan(begin, end, &quoted);
		bool right = len <= 0 ? fault == QUOTED_UTF8 && quoted.end == begin
				      : quoted.end >= begin + len;

		if (!right)
			ck_abort_msg("%02x %02x %02x %02x", text[0], text[1], text[2], text[3]);
	}
}
END_TEST

/* The first that wants an escape, wherever it stands in a block of characters. */
START_TEST(plain_ends_where_an_escape_is_wanted)
{
	static const char specials[] = {'\0', '\x01', '\x1f', '"', '\\'};
	static const char plain[] = {' ', '!', '#', '[', ']', '\x7f', '\x80', '\xff'};
	char text[200] = {0};

	for (size_t len = 0; len <= sizeof(text); len++) {
		for (size_t i = 0; i < len; i++)
			text[i] = plain[i % sizeof(plain)];
		ck_assert_uint_eq(quoted_plain(text, len), len);
		for (size_t at = 0; at < len; at++) {
			char before = text[at];

			text[at] = specials[(at + len) % sizeof(specials)];
			ck_assert_msg(quoted_plain(text, len) == at, "%zu of %zu: got %zu", at, len,
				      quoted_plain(text, len));
			text[at] = before;
		}
	}
}
END_TEST

START_TEST(faults_are_named_at_their_place)
{
	static const struct {
		const char *text;
		enum quoted_fault fault;
		size_t at;
	} cases[] = {
	    {"", QUOTED_NO_END, 0},
	    {"abc", QUOTED_NO_END, 3},
	    {"a\nb\"", QUOTED_CONTROL, 1},
	    {"ab\\x\"", QUOTED_ESCAPE, 2},
	    {"\\", QUOTED_ESCAPE, 0},
	    {"\\u12g4\"", QUOTED_ESCAPE, 0},
	    {"\\u12", QUOTED_ESCAPE, 0},
	    {"\\ud800\"", QUOTED_SURROGATE, 0},
	    {"\\ud800", QUOTED_SURROGATE, 0},
	    {"\\ud800\\n\"", QUOTED_SURROGATE, 0},
	    {"\\ud800\\u0041\"", QUOTED_SURROGATE, 0},
	    {"\\ud800\\ud800\"", QUOTED_SURROGATE, 0},
	    {"\\ud800\\u00\"", QUOTED_ESCAPE, 0},
	    {"\\udc00\\ud800\"", QUOTED_SURROGATE, 0},
	    {"\xc3", QUOTED_UTF8, 0},
	    {"ab\xe2\x82\"", QUOTED_UTF8, 2},
	};

	for (size_t i = 0; i < LENGTH(cases); i++) {
		const char *text = cases[i].text;
		struct quoted quoted;
		enum quoted_fault got = quoted_scan(text, text + strlen(text), &quoted);

		ck_assert_msg(got == cases[i].fault, "%s: %s", text, quoted_fault_text(got));
		ck_assert_msg(quoted.end == text + cases[i].at, "%s: at %td", text,
			      quoted.end - text);
		ck_assert_ptr_nonnull(strstr(quoted_fault_text(got), "want "));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quoted");
	TCase *tcase = tcase_create("quoted");

	tcase_add_test(tcase, escapes_are_decoded);
	tcase_add_test(tcase, special_characters_are_seen_at_every_place);
	tcase_add_test(tcase, utf8_is_what_rfc_3629_says);
	tcase_add_test(tcase, plain_ends_where_an_escape_is_wanted);
	tcase_add_test(tcase, faults_are_named_at_their_place);
	tcase_set_timeout(tcase, 250);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
