/* SPDX-License-Identifier: Apache-2.0 */
/*
 * distinct.h - which of many contents are equal, byte by byte, so that each is worked on once.
 *
 * Whoever makes contents collide is not found out: theirs count as different, at no great cost.
 */
#ifndef MICRO_SERVER_DISTINCT_H
#define MICRO_SERVER_DISTINCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/err.h"

#define DISTINCT_PARTS 3

/* Views, which must stay as long as they are among the distinct ones. */
struct content {
	unsigned kind; /* contents of different kinds are different */
	struct {
		const void *bytes;
		size_t len;
	} part[DISTINCT_PARTS]; /* len 0: not used */
};

struct distinct {
	size_t n; /* so far, numbered from 0 */
	size_t capacity;
	struct content *contents; /* [capacity] */
	uint64_t *hash;		  /* [capacity]; NULL: so few that all are compared */
	uint32_t *table;	  /* [table_size] number + 1, 0: free */
	size_t table_size;	  /* a power of two */
};

/** distinct_init(distinct, capacity, arena, err): for capacity contents; its memory is of arena,
 * bounded by 96 bytes for each. capacity >= 1. */
enum status distinct_init(struct distinct *distinct, size_t capacity, struct arena *arena,
			  struct err *err);

/** distinct_clear(distinct): begin anew. */
void distinct_clear(struct distinct *distinct);

/**
 * distinct_add(distinct, content, is_new_out): the number of the content that equals this one,
 * or a new number. One that is new when there is no room begins anew, as distinct_clear() does,
 * and is number 0.
 */
size_t distinct_add(struct distinct *distinct, const struct content *content, bool *is_new_out);

#endif
