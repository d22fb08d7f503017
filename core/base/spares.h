/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spares.h - blocks that a thread has freed and soon asks for again: what a request takes the
 * next one takes, too. The C library has such lists for the smallest blocks alone, and none for
 * aligned ones; merging and splitting these was a tenth of a short request.
 *
 * For mem.c only. Each thread has its own few, of SPARES_MAX bytes in all at most, until it ends.
 * A build with a sanitizer keeps none, so that it sees each block's end.
 */
#ifndef MICRO_BASE_SPARES_H
#define MICRO_BASE_SPARES_H

#include <stdbool.h>
#include <stddef.h>

#define SPARES_MAX	 ((size_t)512 << 10)
#define SPARES_ALIGNMENT 64 /* of all blocks that are kept */

/** spares_take(n_bytes): a block of so many bytes at least, not many more; NULL: none is there. */
void *spares_take(size_t n_bytes);

/** spares_keep(block): take over a block from the C library; false: it is not worth
 * it, and the caller's to free. */
bool spares_keep(void *block);

#endif
