/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - which part of a list is asked for: "limit" and "cursor" of a query. A cursor is the
 * last name of the part before, in base64url, so that it stays right while others are added and
 * deleted; what is in it is nobody's business but ours.
 */
#ifndef MICRO_SERVER_PAGE_H
#define MICRO_SERVER_PAGE_H

#include <stddef.h>

#include "core/base/err.h"
#include "server/store.h"

#define PAGE_LIMIT	100  /* entries, if it is not said */
#define PAGE_MAX_LIMIT	1000 /* entries */
#define PAGE_CURSOR_LEN 344  /* of the longest name and its mark, without padding, at most */

/* As they came, percent-encoded; NULL: not there. */
struct page_source {
	const char *limit, *cursor;
};

struct page {
	char after[STORE_MAX_ID + 1]; /* "": from the beginning */
	size_t limit;
};

/** page_read(source, page_out, err): STATUS_INVALID_VALUE at "?limit" or "?cursor". */
enum status page_read(const struct page_source *source, struct page *page_out, struct err *err);

/** page_cursor(last, cursor_out): the cursor of what comes after this name. */
void page_cursor(const char *last, char cursor_out[PAGE_CURSOR_LEN + 1]);

#endif
