/* SPDX-License-Identifier: Apache-2.0 */
#include "server/memo.h"

enum status memo_init(struct memo *memo, size_t n_contents, size_t width, struct arena *arena,
		      struct err *err)
{
	size_t capacity = MEMO_BYTES / sizeof(*memo->rows) / width;
	enum status status;

	if (capacity > MEMO_MAX_CONTENTS)
		capacity = MEMO_MAX_CONTENTS;
	if (capacity > n_contents)
		capacity = n_contents;
	if (capacity == 0)
		capacity = 1;
	*memo = (struct memo){.width = width};
	status = distinct_init(&memo->contents, capacity, arena, err);
	if (status != STATUS_OK)
		return status;
	memo->rows = arena_floats(arena, capacity * width);
	return memo->rows == NULL ? err_no_memory(err, "what was computed") : STATUS_OK;
}

float *memo_row(struct memo *memo, const struct content *content, bool *is_new_out)
{
	return memo->rows + distinct_add(&memo->contents, content, is_new_out) * memo->width;
}
