/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sodium_base642bin() takes constant time, for secrets, at several ns a character: more than
 * anything else that a request with vectors costs. These are no secrets.
 */
#include "core/base/base64.h"

#include <assert.h>
#include <sodium.h>
#include <stdint.h>

#include "core/base/base64_impl.h"
#include "core/base/mem.h"
#include "core/math/logmath.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	      "floats are copied as they lie in memory, little-endian");

char *base64_encode_floats(const float *x, size_t n)
{
	size_t n_bytes, size;
	char *text;

	/* base64 makes 4 of 3 bytes: twice as many is a bound that is easy to check */
	if (!mem_mul(n, sizeof(*x), &n_bytes) || n_bytes > SIZE_MAX / 2 - 4)
		return NULL;
	size = sodium_base64_encoded_len(n_bytes, sodium_base64_VARIANT_ORIGINAL);
	text = mem_array(size, 1);
	if (text == NULL)
		return NULL;
	return sodium_bin2base64(text, size, (const unsigned char *)x, n_bytes,
				 sodium_base64_VARIANT_ORIGINAL);
}

/* Value of each character of the alphabet plus one; 0: not of the alphabet. */
static const unsigned char base64_value[256] = {
    ['A'] = 1,	['B'] = 2,  ['C'] = 3,	['D'] = 4,  ['E'] = 5,	['F'] = 6,  ['G'] = 7,	['H'] = 8,
    ['I'] = 9,	['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

/*
 * Bits of the n <= 4 characters at text, first one most significant; a character
 * that is not of the alphabet sets bits above the 24 of a group.
 */
static uint32_t base64_bits(const char *text, size_t n)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < n; i++)
		bits = bits << 6 | (base64_value[(unsigned char)text[i]] - 1u);
	return bits;
}

bool base64_decode_portable(const char *text, size_t n_data, unsigned char *out)
{
	uint32_t seen = 0;
	size_t i;

	for (i = 0; i + 4 <= n_data; i += 4) {
		uint32_t bits = base64_bits(text + i, 4);

		seen |= bits;
		*out++ = (unsigned char)(bits >> 16);
		*out++ = (unsigned char)(bits >> 8);
		*out++ = (unsigned char)bits;
	}
	if (n_data - i == 3) {
		uint32_t bits = base64_bits(text + i, 3);

		seen |= bits | (bits & 3) << 24;
		*out++ = (unsigned char)(bits >> 10);
		*out = (unsigned char)(bits >> 2);
	} else if (n_data - i == 2) {
		uint32_t bits = base64_bits(text + i, 2);

		seen |= bits | (bits & 15) << 24;
		*out = (unsigned char)(bits >> 4);
	}
	return seen >> 24 == 0;
}

static bool base64_decode(const char *text, size_t n_data, unsigned char *out)
{
	bool valid;
	size_t n = base64_decode_avx2(text, n_data, out, &valid);

	return base64_decode_portable(text + n, n_data - n, out + n / 4 * 3) && valid;
}

/* STATUS_INVALID_BASE64 naming the first character that is not of the alphabet, if any. */
static enum status base64_check(const char *text, size_t n_data, struct err *err)
{
	for (size_t i = 0; i < n_data; i++) {
		if (base64_value[(unsigned char)text[i]] == 0)
			return err_set(err, STATUS_INVALID_BASE64,
				       "character %zu (byte 0x%02x) is not base64", i,
				       (unsigned char)text[i]);
	}
	return STATUS_OK;
}

/* A text of the wrong length: is it base64 at all? */
static enum status wrong_length(const char *text, size_t n_data, size_t n_bytes, size_t dim,
				struct err *err)
{
	enum status status = base64_check(text, n_data, err);

	if (status != STATUS_OK)
		return status;
	if (n_bytes % sizeof(float) != 0)
		return err_set(err, STATUS_WRONG_DIMENSION,
			       "base64 of %zu bytes, want %zu numbers of 4 bytes", n_bytes, dim);
	return err_set(err, STATUS_WRONG_DIMENSION, "vector of %zu numbers, want %zu",
		       n_bytes / sizeof(float), dim);
}

enum status base64_decode_floats(const char *text, size_t len, size_t dim, float *out,
				 struct err *err)
{
	size_t n_data = len, n_bytes, bad;

	if (len % 4 != 0)
		return err_set(err, STATUS_INVALID_BASE64,
			       "base64 of %zu characters, want a multiple of 4 (with padding)",
			       len);
	while (n_data > 0 && len - n_data < 2 && text[n_data - 1] == '=')
		n_data--;
	n_bytes = n_data / 4 * 3 + n_data % 4 * 3 / 4;
	if (n_bytes % sizeof(float) != 0 || n_bytes / sizeof(float) != dim)
		return wrong_length(text, n_data, n_bytes, dim, err);
	if (!base64_decode(text, n_data, (unsigned char *)out)) {
		if (base64_check(text, n_data, err) != STATUS_OK)
			return STATUS_INVALID_BASE64;
		return err_set(err, STATUS_INVALID_BASE64,
			       "character %zu, the last before the padding, has stray bits",
			       n_data - 1);
	}
	if (!all_finite_f(out, dim, &bad))
		return err_set(err, STATUS_NOT_FINITE, "number %zu of the vector is not finite",
			       bad);
	return STATUS_OK;
}
