/* SPDX-License-Identifier: Apache-2.0 */
/* quoted.h - JSON's strings: checked once, decoded only where there is an escape. */
#ifndef MICRO_JSON_QUOTED_H
#define MICRO_JSON_QUOTED_H

#include <stdbool.h>
#include <stddef.h>

enum quoted_fault {
	QUOTED_OK,
	QUOTED_NO_END,
	QUOTED_CONTROL,	  /* a control character as it is */
	QUOTED_ESCAPE,	  /* no such escape */
	QUOTED_SURROGATE, /* half of a pair */
	QUOTED_NUL,	  /* \u0000 where there may be none, for who calls quoted_scan() to find */
	QUOTED_UTF8,
};

/* [begin, end) stands between the quotes. */
struct quoted {
	const char *begin;
	const char *end; /* of a fault: where it is */
	const char *nul; /* the first \u0000; NULL: none */
	bool escaped;	 /* there is an escape */
};

/**
 * quoted_scan(text, end, out): check the string that follows a quote at text[-1]: UTF-8
 * (RFC 3629), escapes, paired surrogates, no control characters. There is a NUL at end.
 */
enum quoted_fault quoted_scan(const char *text, const char *end, struct quoted *out);

/** quoted_decode(quoted, out): its characters into out [end - begin bytes at most]; returns
 * how many bytes. It has passed quoted_scan(). */
size_t quoted_decode(const struct quoted *quoted, char *out);

/** quoted_plain(bytes, n): how many of them, from the first, may stand in a string as they are: no
 * quote, no backslash, no control character. What is not ASCII may; UTF-8 is not checked. */
size_t quoted_plain(const char *bytes, size_t n);

/** quoted_fault_text(fault): what is wrong, and what would be right. */
const char *quoted_fault_text(enum quoted_fault fault);

#endif
