/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buffer.h - growing bytes, and JSON's strings and numbers written into them.
 *
 * Lack of memory is remembered, not returned by every call: a writer appends to
 * the end and asks buffer_status() once.
 *
 * Invariants: 1. len <= capacity. 2. once failed, nothing is appended any more.
 *             3. a zeroed struct buffer is a valid empty buffer.
 */
#ifndef MICRO_SERVER_BUFFER_H
#define MICRO_SERVER_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/err.h"

struct buffer {
	char *bytes; /* [len], without a NUL unless terminated; NULL while capacity is 0 */
	size_t len;
	size_t capacity;
	bool failed;
};

/** buffer_reserve(buffer, n): room for n more bytes, so that appending them copies nothing
 * again. */
void buffer_reserve(struct buffer *buffer, size_t n);

/** buffer_terminate(buffer): a NUL after the last byte that does not count in len. */
void buffer_terminate(struct buffer *buffer);

/** buffer_add(buffer, bytes, n), buffer_add_string(buffer, string): append. */
void buffer_add(struct buffer *buffer, const void *bytes, size_t n);
static inline void buffer_add_string(struct buffer *buffer, const char *string)
{
	/* here, so that a literal's length is a constant */
	buffer_add(buffer, string, strlen(string));
}

/** buffer_add_uint(buffer, x): decimal. */
void buffer_add_uint(struct buffer *buffer, uint64_t x);

/**
 * buffer_add_number(buffer, x): the shortest decimal that reads back as x
 * (numeral_double()). x is finite.
 */
void buffer_add_number(struct buffer *buffer, double x);

/**
 * buffer_add_quoted(buffer, bytes, len): a JSON string with its quotes. What is
 * not valid UTF-8 (a message cut within a character) becomes U+FFFD.
 */
void buffer_add_quoted(struct buffer *buffer, const char *bytes, size_t len);

/** buffer_status(buffer, what, err): STATUS_NO_MEMORY naming what, if any append failed. */
enum status buffer_status(const struct buffer *buffer, const char *what, struct err *err);

/** buffer_free(buffer): empty again. */
void buffer_free(struct buffer *buffer);

#endif
