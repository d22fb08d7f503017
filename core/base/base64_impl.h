/* SPDX-License-Identifier: Apache-2.0 */
/* base64_impl.h - the two ways to decode, for base64.c and its test. */
#ifndef MICRO_BASE_BASE64_IMPL_H
#define MICRO_BASE_BASE64_IMPL_H

#include <stdbool.h>
#include <stddef.h>

/**
 * base64_decode_portable(text, n_data, out): the n_data characters before the padding into
 * out [n_data * 6 / 8]; false if one is not of the alphabet, or if the last has bits that
 * belong to no byte: each vector has one text only.
 */
bool base64_decode_portable(const char *text, size_t n_data, unsigned char *out);

/**
 * base64_decode_avx2(text, n_data, out, valid_out): as many whole groups of four from the
 * beginning as go together, 32 characters at once; returns how many characters that is, 0
 * where the processor cannot. *valid_out: all of them are of the alphabet.
 */
size_t base64_decode_avx2(const char *text, size_t n_data, unsigned char *out, bool *valid_out);

#endif
