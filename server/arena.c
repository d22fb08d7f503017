/* SPDX-License-Identifier: Apache-2.0 */
#include "server/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "core/base/mem.h"

#define ARENA_BLOCK	16384u
#define ARENA_ALIGNMENT 16u

struct arena_block {
	struct arena_block *next;
	size_t used;	 /* bytes of data[] handed out */
	size_t capacity; /* bytes of data[] */
	alignas(ARENA_ALIGNMENT) unsigned char data[];
};

struct arena_adopted {
	struct arena_adopted *next;
	void *pointer;
};

static struct arena_block *block_add(struct arena *arena, size_t n_bytes)
{
	size_t capacity = n_bytes < ARENA_BLOCK ? ARENA_BLOCK : n_bytes;
	struct arena_block *block = mem_array(sizeof(*block) + capacity, 1);

	if (block == NULL)
		return NULL;
	block->capacity = capacity;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void *arena_array(struct arena *arena, size_t n, size_t size)
{
	struct arena_block *block = arena->blocks;
	size_t n_bytes;

	if (!mem_mul(n, size, &n_bytes) || n_bytes > SIZE_MAX / 2)
		return NULL;
	n_bytes = (n_bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
	if (block == NULL || n_bytes > block->capacity - block->used) {
		block = block_add(arena, n_bytes);
		if (block == NULL)
			return NULL;
	}
	void *out = block->data + block->used;
	block->used += n_bytes;
	return out;
}

char *arena_string(struct arena *arena, const char *bytes, size_t len)
{
	char *copy = len == SIZE_MAX ? NULL : arena_array(arena, len + 1, 1);

	if (copy != NULL && len > 0)
		memcpy(copy, bytes, len);
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
