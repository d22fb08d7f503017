/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem_failing.c - a double of core/base/mem.c for out-of-memory sweeps: the
 * n-th allocation from now fails, all others succeed. Linked in its place.
 */
#include "tests/unit/mem_failing.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"

/* other threads of what is tested may allocate, too */
static atomic_long allocations_left = -1;

void mem_fail_after(long n)
{
	atomic_store(&allocations_left, n);
}

static bool fails_now(void)
{
	if (atomic_load(&allocations_left) < 0)
		return false;
	return atomic_fetch_sub(&allocations_left, 1) == 0;
}

bool mem_mul(size_t a, size_t b, size_t *product_out)
{
	return !__builtin_mul_overflow(a, b, product_out);
}

void *mem_array(size_t n, size_t size)
{
	size_t n_bytes;

	if (!mem_mul(n, size, &n_bytes) || n_bytes > SIZE_MAX - 64 || fails_now())
		return NULL;
	n_bytes = (n_bytes / 64 + 1) * 64;
	void *block = aligned_alloc(64, n_bytes);
	if (block != NULL)
		memset(block, 0, n_bytes);
	return block;
}

void *mem_small(size_t size)
{
	return fails_now() ? NULL : calloc(1, size);
}

void *mem_grow(void *pointer, size_t n_old, size_t n_new, size_t size)
{
	void *block = mem_array(n_new, size);

	if (block == NULL)
		return NULL;
	if (pointer != NULL)
		memcpy(block, pointer, (n_old < n_new ? n_old : n_new) * size);
	free(pointer);
	return block;
}

char *mem_string(const char *bytes, size_t len)
{
	char *copy = mem_array(len + 1, 1);

	if (copy != NULL)
		memcpy(copy, bytes, len);
	return copy;
}

void mem_free(void *pointer)
{
	free(pointer);
}
