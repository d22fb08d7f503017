/* SPDX-License-Identifier: Apache-2.0 */
/* edit_distance.h - how far apart two names are, to say which one was probably meant. */
#ifndef MICRO_BASE_EDIT_DISTANCE_H
#define MICRO_BASE_EDIT_DISTANCE_H

#include <stddef.h>

/* bytes of a name that count; longer names are compared by their beginning */
#define EDIT_DISTANCE_MAX 64

/**
 * edit_distance(a, b): Levenshtein distance, the least number of bytes to insert,
 * delete or replace that makes one of the other.
 */
size_t edit_distance(const char *a, const char *b);

#endif
