/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words.h - the words of a UTF-8 text in the one spelling that counts: NFC,
 * lower case, without what stands between them.
 *
 *   "Don't stop, CAFÉ!"  ->  "don't stop café"
 *   "日本語です"           ->  "日 本 語 で す"
 *
 * A word begins with a letter or a decimal digit and goes on with these and
 * with combining marks; a single apostrophe (' or ’) between two letters belongs
 * to it. In scripts that are written without spaces every character, with its
 * marks, is a word. Case and categories are Unicode's, never the locale's.
 */
#ifndef MICRO_ENCODE_WORDS_H
#define MICRO_ENCODE_WORDS_H

#include <stddef.h>

#include "core/base/err.h"
#include "core/encode/encoder.h"

#define WORDS_SMALL  4096 /* bytes for which no memory is asked for */
#define WORDS_BEYOND 8

/* The words, each followed by one space, and WORDS_BEYOND bytes more that may be read. Stays where
 * it is initialized: bytes may point into it. */
struct words {
	char *bytes;
	size_t len;
	size_t capacity; /* without WORDS_BEYOND */
	char small[WORDS_SMALL + WORDS_BEYOND];
};

/** words_init(words): none; takes no memory. words_free() releases. */
void words_init(struct words *words);

/**
 * words_split(text, words, err): replace words by those of text, which is valid
 * UTF-8. The only error is STATUS_NO_MEMORY.
 */
enum status words_split(struct text text, struct words *words, struct err *err);

/** words_free(words): none again. */
void words_free(struct words *words);

#endif
