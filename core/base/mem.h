/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mem.h - every allocation of the project, with overflow-checked sizes.
 *
 * One place, so that a test can link a double that fails the n-th allocation.
 */
#ifndef MICRO_BASE_MEM_H
#define MICRO_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

/** mem_mul(a, b, product_out): false if a * b overflows size_t. */
bool mem_mul(size_t a, size_t b, size_t *product_out);

/**
 * mem_array(n, size): n zeroed elements of size bytes, aligned to 64 bytes, or
 * NULL on overflow or lack of memory. n = 0 gives a valid pointer.
 * The caller frees with mem_free().
 */
void *mem_array(size_t n, size_t size);

/** mem_small(size): zeroed bytes for one of very many small objects: not aligned beyond what
 * any type needs, and without the room that that takes. The caller frees with mem_free(). */
void *mem_small(size_t size);

/**
 * mem_grow(pointer, n_old, n_new, size): like realloc for a mem_array(); new
 * elements are not zeroed. On failure NULL, and the old block is untouched.
 */
void *mem_grow(void *pointer, size_t n_old, size_t n_new, size_t size);

/** mem_string(bytes, len): a NUL-terminated copy; free with mem_free(). */
char *mem_string(const char *bytes, size_t len);

/** mem_free(pointer): NULL does nothing. */
void mem_free(void *pointer);

#endif
