/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena.h - memory that dies together: everything made for one request.
 *
 * Invariants: 1. what an arena gave stays where it is until arena_free().
 *             2. a zeroed struct arena is a valid empty arena.
 */
#ifndef MICRO_BASE_ARENA_H
#define MICRO_BASE_ARENA_H

#include <stddef.h>

struct arena_block;
struct arena_adopted;

struct arena {
	struct arena_block *blocks;    /* small allocations come from the first */
	struct arena_adopted *adopted; /* strangers' blocks that die with the arena */
};

/** arena_array(arena, n, size): n zeroed elements, aligned to 16 bytes; NULL on overflow
 * or lack of memory. n = 0 gives a valid pointer. Lives until arena_free(). */
void *arena_array(struct arena *arena, size_t n, size_t size);

/** arena_bytes(arena, n): n bytes that are not zeroed, not aligned; NULL without memory. */
void *arena_bytes(struct arena *arena, size_t n);

/** arena_floats(arena, n): n numbers that are not zeroed; 64 bytes or more are aligned to 64,
 * fewer to 16. NULL on overflow or lack of memory. */
float *arena_floats(struct arena *arena, size_t n);

/** arena_string(arena, bytes, len): a NUL-terminated copy, NULL without memory. */
char *arena_string(struct arena *arena, const char *bytes, size_t len);

/** arena_adopt(arena, pointer): pointer, from mem.h, is freed with the arena; returns it.
 * Without memory it is freed at once and NULL returned. */
void *arena_adopt(struct arena *arena, void *pointer);

/** arena_free(arena): frees everything; the arena is empty then and may be used again. */
void arena_free(struct arena *arena);

#endif
