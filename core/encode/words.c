/* SPDX-License-Identifier: Apache-2.0 */
#include "core/encode/words.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>
#include <unictype.h>

#include "core/base/mem.h"

#define RIGHT_QUOTE 0x2019 /* typographers' apostrophe */
#define FIRST_THAI  0x0E01 /* no script without spaces lies below */

/* NFC makes UTF-8 at most this much longer (Unicode Standard Annex 15, section 9.1) */
#define NFC_GROWTH 3

enum category {
	CATEGORY_OTHER,
	CATEGORY_LETTER, /* or digit */
	CATEGORY_MARK,
	CATEGORY_APOSTROPHE,
	CATEGORY_CHARACTER, /* letter or digit of a script without spaces */
};

enum state {
	STATE_BETWEEN,
	STATE_IN_WORD,
	STATE_AFTER_APOSTROPHE, /* inside a word if a letter follows */
	STATE_IN_CHARACTER,
};

struct splitter {
	struct words *words;
	enum state state;
	uint8_t *normal; /* scratch for a stretch in NFC; NULL while all was ASCII */
	size_t normal_size;
};

static bool is_script_without_spaces(ucs4_t c)
{
	static const char *const names[] = {"Han", "Hiragana", "Katakana", "Thai",
					    "Lao", "Khmer",    "Myanmar"};
	const uc_script_t *script;

	if (c < FIRST_THAI)
		return false;
	script = uc_script(c);
	for (size_t i = 0; script != NULL && i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(script->name, names[i]) == 0)
			return true;
	}
	return false;
}

static enum category classify(ucs4_t c)
{
	if (c < 0x80) {
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (letter || (c >= '0' && c <= '9'))
			return CATEGORY_LETTER;
		return c == '\'' ? CATEGORY_APOSTROPHE : CATEGORY_OTHER;
	}
	if (c == RIGHT_QUOTE)
		return CATEGORY_APOSTROPHE;
	if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_M))
		return CATEGORY_MARK;
	if (!uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L | UC_CATEGORY_MASK_Nd))
		return CATEGORY_OTHER;
	return is_script_without_spaces(c) ? CATEGORY_CHARACTER : CATEGORY_LETTER;
}

static void put_byte(struct words *words, char byte)
{
	words->bytes[words->len++] = byte;
}

static void put_lower(struct words *words, ucs4_t c)
{
	if (c < 0x80) {
		put_byte(words, (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c));
		return;
	}
	uint8_t *end = (uint8_t *)words->bytes + words->len;
	int n = u8_uctomb(end, uc_tolower(c), (ptrdiff_t)(words->capacity - words->len));

	assert(n > 0);
	words->len += (size_t)n;
}

static void end_word(struct splitter *s)
{
	if (s->state != STATE_BETWEEN)
		put_byte(s->words, ' ');
	s->state = STATE_BETWEEN;
}

static void take(struct splitter *s, ucs4_t c)
{
	enum category category = classify(c);

	switch (category) {
	case CATEGORY_LETTER:
		if (s->state == STATE_AFTER_APOSTROPHE)
			put_byte(s->words, '\'');
		else if (s->state == STATE_IN_CHARACTER)
			end_word(s);
		put_lower(s->words, c);
		s->state = STATE_IN_WORD;
		return;
	case CATEGORY_CHARACTER:
		end_word(s);
		put_lower(s->words, c);
		s->state = STATE_IN_CHARACTER;
		return;
	case CATEGORY_MARK:
		if (s->state == STATE_IN_WORD || s->state == STATE_IN_CHARACTER) {
			put_lower(s->words, c);
			return;
		}
		break;
	case CATEGORY_APOSTROPHE:
		if (s->state == STATE_IN_WORD) {
			s->state = STATE_AFTER_APOSTROPHE;
			return;
		}
		break;
	case CATEGORY_OTHER:
		break;
	}
	end_word(s);
}

void words_init(struct words *words)
{
	words->bytes = words->small;
	words->len = 0;
	words->capacity = WORDS_SMALL;
}

void words_free(struct words *words)
{
	if (words->bytes != words->small)
		mem_free(words->bytes);
	words_init(words);
}

/*
 * Room for what n bytes of normalized text can add: a character grows by half at
 * most in lower case (two bytes to three) and may come with a space, so twice its
 * bytes are enough; an apostrophe and the last space may be pending besides.
 */
static enum status reserve(struct words *words, size_t n, struct err *err)
{
	size_t needed = words->len + 2 * n + 2;
	size_t capacity = 2 * words->capacity;
	char *bytes;

	if (needed <= words->capacity)
		return STATUS_OK;
	if (capacity < needed)
		capacity = needed;
	bytes = mem_grow(NULL, 0, capacity + WORDS_BEYOND, 1);
	if (bytes == NULL)
		return err_no_memory(err, "the words of a text");
	memcpy(bytes, words->bytes, words->len);
	if (words->bytes != words->small)
		mem_free(words->bytes);
	words->bytes = bytes;
	words->capacity = capacity;
	return STATUS_OK;
}

/* The stretch in NFC, in s->normal. */
static enum status normalize(struct splitter *s, const char *bytes, size_t len, size_t *len_out,
			     struct err *err)
{
	size_t size = NFC_GROWTH * len;
	const uint8_t *normal;

	if (s->normal_size < size) {
		mem_free(s->normal);
		s->normal_size = 0;
		s->normal = mem_array(size, 1);
		if (s->normal == NULL)
			return err_no_memory(err, "normalizing a text");
		s->normal_size = size;
	}
	*len_out = s->normal_size;
	normal = u8_normalize(UNINORM_NFC, (const uint8_t *)bytes, len, s->normal, len_out);
	/* libunistring allocates for long sequences of marks */
	if (normal == NULL)
		return err_no_memory(err, "normalizing a text");
	assert(normal == s->normal);
	return STATUS_OK;
}

/* Take a stretch that is not ASCII; n_after bytes of ASCII or of other stretches follow. */
static enum status take_stretch(struct splitter *s, const char *bytes, size_t len, size_t n_after,
				struct err *err)
{
	size_t n;
	enum status status = normalize(s, bytes, len, &n, err);

	if (status == STATUS_OK)
		status = reserve(s->words, n + n_after, err);
	if (status != STATUS_OK)
		return status;
	for (size_t i = 0; i < n;) {
		ucs4_t c;

		i += (size_t)u8_mbtouc_unsafe(&c, s->normal + i, n - i);
		take(s, c);
	}
	return STATUS_OK;
}

static bool is_ascii_at(struct text text, size_t i)
{
	return i >= text.len || (unsigned char)text.bytes[i] < 0x80;
}

/* A letter in lower case or a digit; 0 for any other character of ASCII. */
static char ascii_letter(char c)
{
	const char lower = (char)(c | ('a' - 'A'));

	if (lower >= 'a' && lower <= 'z')
		return lower;
	return (char)(c >= '0' && c <= '9' ? c : 0);
}

/* The end of the run of ASCII characters at begin that no mark follows. */
static size_t ascii_run_end(struct text text, size_t begin)
{
	size_t i = begin;
	uint64_t eight;

	while (i + sizeof(eight) <= text.len) {
		memcpy(&eight, text.bytes + i, sizeof(eight));
		if ((eight & 0x8080808080808080u) != 0)
			break;
		i += sizeof(eight);
	}
	while (i < text.len && is_ascii_at(text, i))
		i++;
	/* the last one may be what a mark composes with */
	return i == text.len || i == begin ? i : i - 1;
}

/* As take() does, but for ASCII alone. */
static void take_ascii(struct splitter *s, const char *bytes, size_t n)
{
	char *out = s->words->bytes + s->words->len;
	enum state state = s->state;

	for (size_t i = 0; i < n; i++) {
		char letter = ascii_letter(bytes[i]);

		if (letter != 0) {
			if (state == STATE_AFTER_APOSTROPHE)
				*out++ = '\'';
			else if (state == STATE_IN_CHARACTER)
				*out++ = ' ';
			*out++ = letter;
			state = STATE_IN_WORD;
		} else if (bytes[i] == '\'' && state == STATE_IN_WORD) {
			state = STATE_AFTER_APOSTROPHE;
		} else {
			if (state != STATE_BETWEEN)
				*out++ = ' ';
			state = STATE_BETWEEN;
		}
	}
	s->state = state;
	s->words->len = (size_t)(out - s->words->bytes);
}

/*
 * ASCII characters are in NFC and never compose with what stands before them, so
 * only the others need normalizing, each run with the one ASCII character before
 * it, with which a mark may compose.
 */
static enum status split(struct splitter *s, struct text text, struct err *err)
{
	enum status status = reserve(s->words, text.len, err);

	for (size_t i = 0; i < text.len && status == STATUS_OK;) {
		size_t begin = ascii_run_end(text, i);

		take_ascii(s, text.bytes + i, begin - i);
		if (begin == text.len)
			break;
		i = begin + 1;
		while (!is_ascii_at(text, i))
			i++;
		status = take_stretch(s, text.bytes + begin, i - begin, text.len - i, err);
	}
	return status;
}

enum status words_split(struct text text, struct words *words, struct err *err)
{
	struct splitter s = {.words = words, .state = STATE_BETWEEN};
	enum status status;

	words->len = 0;
	status = split(&s, text, err);
	if (status == STATUS_OK) {
		end_word(&s);
		memset(words->bytes + words->len, 0, WORDS_BEYOND);
	}
	mem_free(s.normal);
	return status;
}
