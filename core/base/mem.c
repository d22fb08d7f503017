/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/spares.h"

/* a cache line, and the widest vector register */
#define MEM_ALIGNMENT SPARES_ALIGNMENT

bool mem_mul(size_t a, size_t b, size_t *product_out)
{
	return !__builtin_mul_overflow(a, b, product_out);
}

static void *mem_aligned(size_t n, size_t size)
{
	size_t n_bytes;
	void *spare;

	if (!mem_mul(n, size, &n_bytes) || n_bytes > SIZE_MAX - MEM_ALIGNMENT)
		return NULL;
	n_bytes = (n_bytes / MEM_ALIGNMENT + 1) * MEM_ALIGNMENT;
	spare = spares_take(n_bytes);
	return spare != NULL ? spare : aligned_alloc(MEM_ALIGNMENT, n_bytes);
}

void *mem_array(size_t n, size_t size)
{
	void *block = mem_aligned(n, size);

	if (block != NULL)
		memset(block, 0, n * size);
	return block;
}

void *mem_small(size_t size)
{
	return calloc(1, size);
}

void *mem_grow(void *pointer, size_t n_old, size_t n_new, size_t size)
{
	void *block = mem_aligned(n_new, size);

	if (block == NULL)
		return NULL;
	if (pointer != NULL)
		memcpy(block, pointer, (n_old < n_new ? n_old : n_new) * size);
	mem_free(pointer);
	return block;
}

char *mem_string(const char *bytes, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		return NULL;
	copy = malloc(len + 1);
	if (copy == NULL)
		return NULL;
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

void mem_free(void *pointer)
{
	if (pointer != NULL && !spares_keep(pointer))
		free(pointer);
}
