/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/base/dtype.h"
#include "tests/unit/unit.h"

static float to_float(enum dtype dtype, uint16_t half)
{
	float x;

	dtype_to_floats(dtype, &half, 1, &x);
	return x;
}

static uint16_t from_float(enum dtype dtype, float x)
{
	uint16_t half = 0xffff;
	size_t bad;

	ck_assert_msg(dtype_from_floats(dtype, &x, 1, &half, &bad), "%a", (double)x);
	return half;
}

/* The number that the bits mean, by the definition of IEEE 754. */
static double f16_value(uint16_t half)
{
	int exponent = half >> 10 & 31, fraction = half & 1023;
	double magnitude =
	    exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);

	return half >> 15 ? -magnitude : magnitude;
}

START_TEST(every_f16_is_read_exactly_and_written_back)
{
	for (uint32_t i = 0; i <= UINT16_MAX; i++) {
		uint16_t half = (uint16_t)i;
		float x = to_float(DTYPE_F16, half);

		if ((half & 0x7c00) == 0x7c00) {
			ck_assert((half & 0x3ff) == 0 ? isinf(x) : isnan(x));
			continue;
		}
		ck_assert_msg((double)x == f16_value(half), "%04x: %a", i, (double)x);
		ck_assert_uint_eq(from_float(DTYPE_F16, x), half);
	}
}
END_TEST

START_TEST(every_bf16_is_read_exactly_and_written_back)
{
	for (uint32_t i = 0; i <= UINT16_MAX; i++) {
		uint32_t bits = i << 16, got;
		float x = to_float(DTYPE_BF16, (uint16_t)i);

		memcpy(&got, &x, sizeof(got));
		ck_assert_uint_eq(got, bits);
		if (isfinite(x))
			ck_assert_uint_eq(from_float(DTYPE_BF16, x), i);
	}
}
END_TEST

/* Between two neighbours the nearer one is taken, in the middle the even one. */
static void assert_rounds(enum dtype dtype, uint16_t low)
{
	float a = to_float(dtype, low), b = to_float(dtype, (uint16_t)(low + 1));
	float middle = a + (b - a) / 2;
	uint16_t even = low % 2 == 0 ? low : (uint16_t)(low + 1);

	ck_assert_uint_eq(from_float(dtype, middle), even);
	ck_assert_uint_eq(from_float(dtype, nextafterf(middle, a)), low);
	ck_assert_uint_eq(from_float(dtype, nextafterf(middle, b)), low + 1);
	ck_assert_uint_eq(from_float(dtype, -middle), even | 0x8000);
}

START_TEST(rounds_to_nearest_ties_to_even)
{
	for (uint16_t low = 0; low < 0x7bff; low++)
		assert_rounds(DTYPE_F16, low);
	for (uint16_t low = 1; low < 0x7f7f; low++)
		assert_rounds(DTYPE_BF16, low);
}
END_TEST

static const struct {
	enum dtype dtype;
	float largest, too_large;
} limits[] = {
    {DTYPE_F16, 65519.996f, 65520},
    {DTYPE_BF16, 0x1.feffp127f, 0x1.ffp127f},
};

START_TEST(a_number_that_would_become_infinite_is_refused)
{
	float x[] = {1, limits[_i].largest, -limits[_i].too_large};
	uint16_t halves[3];
	size_t bad = 9;

	ck_assert(!dtype_from_floats(limits[_i].dtype, x, 3, halves, &bad));
	ck_assert_uint_eq(bad, 2);
	ck_assert(dtype_from_floats(limits[_i].dtype, x, 2, halves, &bad));
}
END_TEST

START_TEST(names_and_sizes)
{
	ck_assert_str_eq(dtype_name(DTYPE_BF16), "BF16");
	ck_assert_uint_eq(dtype_size(DTYPE_F16), 2);
	ck_assert_uint_eq(dtype_size(DTYPE_I32), 4);
	ck_assert(dtype_is_float(DTYPE_BF16) && !dtype_is_float(DTYPE_I32));
}
END_TEST

START_TEST(unaligned_numbers_are_read)
{
	unsigned char bytes[9] = {0};
	const float x[] = {1.5f, -2};
	float out[2];

	memcpy(bytes + 1, x, sizeof(x));
	dtype_to_floats(DTYPE_F32, bytes + 1, 2, out);
	ck_assert_mem_eq(out, x, sizeof(x));
}
END_TEST

START_TEST(subtracts_what_it_would_read)
{
	enum { N = 600 };
	const enum dtype dtypes[] = {DTYPE_F32, DTYPE_F16, DTYPE_BF16};
	unsigned char bytes[1 + 4 * N];
	float numbers[N], read[N], x[N];
	size_t bad;

	for (size_t i = 0; i < N; i++)
		numbers[i] = (float)i / 7 - 30;
	for (size_t t = 0; t < 3; t++) {
		ck_assert(dtype_from_floats(dtypes[t], numbers, N, bytes + 1, &bad));
		dtype_to_floats(dtypes[t], bytes + 1, N, read);
		memcpy(x, numbers, sizeof(x));
		dtype_subtract(dtypes[t], bytes + 1, N, x);
		for (size_t i = 0; i < N; i++)
			ck_assert(x[i] == numbers[i] - read[i]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dtype");
	TCase *tcase = tcase_create("dtype");

	tcase_add_test(tcase, every_f16_is_read_exactly_and_written_back);
	tcase_add_test(tcase, every_bf16_is_read_exactly_and_written_back);
	tcase_add_test(tcase, rounds_to_nearest_ties_to_even);
	tcase_add_loop_test(tcase, a_number_that_would_become_infinite_is_refused, 0,
			    LENGTH(limits));
	tcase_add_test(tcase, names_and_sizes);
	tcase_add_test(tcase, unaligned_numbers_are_read);
	tcase_add_test(tcase, subtracts_what_it_would_read);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
