/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/base/mem.h"

#define ARENA_BLOCK	16384u
#define ARENA_ALIGNMENT 16u
#define ARENA_LINE	64u /* a cache line, and the widest vector register; as mem.h aligns */

struct arena_block {
	struct arena_block *next;
	size_t used;	 /* bytes of data[] handed out */
	size_t capacity; /* bytes of data[] */
	alignas(ARENA_LINE) unsigned char data[];
};

struct arena_adopted {
	struct arena_adopted *next;
	void *pointer;
};

static struct arena_block *block_make(size_t capacity)
{
	struct arena_block *block = mem_grow(NULL, 0, sizeof(*block) + capacity, 1);

	if (block == NULL)
		return NULL;
	block->next = NULL;
	block->used = 0;
	block->capacity = capacity;
	return block;
}

/* What would fill a block gets one of its own, behind the first, which goes on. */
static struct arena_block *block_add(struct arena *arena, size_t n_bytes)
{
	bool own = n_bytes > ARENA_BLOCK / 2;
	struct arena_block *block = block_make(own ? n_bytes : ARENA_BLOCK);

	if (block == NULL)
		return NULL;
	if (own && arena->blocks != NULL) {
		block->next = arena->blocks->next;
		arena->blocks->next = block;
	} else {
		block->next = arena->blocks;
		arena->blocks = block;
	}
	return block;
}

/* alignment: a power of two, at most ARENA_LINE. */
static void *take(struct arena *arena, size_t n_bytes, size_t alignment)
{
	struct arena_block *block = arena->blocks;
	size_t at = block == NULL ? 0 : (block->used + alignment - 1) & ~(alignment - 1);

	if (block == NULL || at > block->capacity || n_bytes > block->capacity - at) {
		if (n_bytes > SIZE_MAX / 2)
			return NULL;
		block = block_add(arena, n_bytes);
		if (block == NULL)
			return NULL;
		at = 0;
	}
	block->used = at + n_bytes;
	return block->data + at;
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
	size_t n_bytes;
	void *array;

	if (!mem_mul(n, size, &n_bytes))
		return NULL;
	array = take(arena, n_bytes, ARENA_ALIGNMENT);
	return array == NULL ? NULL : memset(array, 0, n_bytes);
}

void *arena_bytes(struct arena *arena, size_t n)
{
	return take(arena, n, 1);
}

float *arena_floats(struct arena *arena, size_t n)
{
	size_t n_bytes;

	if (!mem_mul(n, sizeof(float), &n_bytes))
		return NULL;
	return take(arena, n_bytes, n_bytes < ARENA_LINE ? ARENA_ALIGNMENT : ARENA_LINE);
}

char *arena_string(struct arena *arena, const char *bytes, size_t len)
{
	char *copy = len == SIZE_MAX ? NULL : arena_bytes(arena, len + 1);

	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

void *arena_adopt(struct arena *arena, void *pointer)
{
	struct arena_adopted *adopted = arena_array(arena, 1, sizeof(*adopted));

	if (adopted == NULL) {
		mem_free(pointer);
		return NULL;
	}
	adopted->pointer = pointer;
	adopted->next = arena->adopted;
	arena->adopted = adopted;
	return pointer;
}

void arena_free(struct arena *arena)
{
	for (struct arena_adopted *a = arena->adopted; a != NULL; a = a->next)
		mem_free(a->pointer);
	arena->adopted = NULL;
	while (arena->blocks != NULL) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		mem_free(block);
	}
}
