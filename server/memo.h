/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memo.h - rows of numbers that were computed for contents, for as long as a request lasts.
 * When it is full it begins anew: its memory is bounded, whatever a request has in it.
 */
#ifndef MICRO_SERVER_MEMO_H
#define MICRO_SERVER_MEMO_H

#include "server/distinct.h"

#define MEMO_MAX_CONTENTS 16384
#define MEMO_BYTES                                                                                 \
	((size_t)1 << 20) /* that the rows of one memo have at most, if one row has not */

struct memo {
	struct distinct contents;
	size_t width;
	float *rows; /* [contents.capacity, width] */
};

/** memo_init(memo, n_contents, width, arena, err): for n_contents >= 1 rows, or fewer if these
 * were more than MEMO_MAX_CONTENTS or MEMO_BYTES; its memory is of arena. */
enum status memo_init(struct memo *memo, size_t n_contents, size_t width, struct arena *arena,
		      struct err *err);

/** memo_row(memo, content, is_new_out): the row [width] of content, to be filled at once if it is
 * new. Valid until the next call; so is what content points to, unless the memo is done with. */
float *memo_row(struct memo *memo, const struct content *content, bool *is_new_out);

#endif
