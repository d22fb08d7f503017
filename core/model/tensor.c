/* SPDX-License-Identifier: Apache-2.0 */
/* tensor.c - a tensor's numbers as float, its shape as text */
#include "core/model/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"
#include "core/model/safetensors_impl.h"

/* IEEE binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits; exact in float */
static float float_of_f16(uint16_t bits)
{
	int exponent = (bits >> 10) & 31;
	int fraction = bits & 1023;
	float x;

	if (exponent == 31)
		x = fraction == 0 ? INFINITY : NAN;
	else if (exponent == 0)
		x = ldexpf((float)fraction, -24);
	else
		x = ldexpf((float)(1024 + fraction), exponent - 25);
	return bits >> 15 ? -x : x;
}

/* bfloat16: the upper half of a float */
static float float_of_bf16(uint16_t bits)
{
	uint32_t wide = (uint32_t)bits << 16;
	float x;

	memcpy(&x, &wide, sizeof(x));
	return x;
}

static void halves_to_floats(const struct tensor *tensor, float (*convert)(uint16_t), float *out)
{
	uint16_t bits;

	for (size_t i = 0; i < tensor->n_elements; i++) {
		memcpy(&bits, tensor->data + i * sizeof(bits), sizeof(bits));
		out[i] = convert(bits);
	}
}

enum status tensor_floats(const struct tensor *tensor, float *out, struct err *err)
{
	size_t bad;

	switch (tensor->dtype) {
	case DTYPE_F32:
		memcpy(out, tensor->data, tensor->n_elements * sizeof(*out));
		break;
	case DTYPE_F16:
		halves_to_floats(tensor, float_of_f16, out);
		break;
	case DTYPE_BF16:
		halves_to_floats(tensor, float_of_bf16, out);
		break;
	default:
		return err_set(err, STATUS_BAD_FILE, "%s: dtype %s, want F32, F16 or BF16",
			       tensor->name, tensor->dtype_name);
	}
	if (!all_finite_f(out, tensor->n_elements, &bad))
		return err_set(err, STATUS_BAD_FILE, "%s: number %zu is not finite", tensor->name,
			       bad);
	return STATUS_OK;
}

void tensor_shape_text(const size_t *shape, size_t rank, char text_out[TENSOR_SHAPE_TEXT])
{
	size_t len = 1;

	strcpy(text_out, "[");
	for (size_t i = 0; i < rank; i++)
		len += (size_t)snprintf(text_out + len, TENSOR_SHAPE_TEXT - len, "%s%zu",
					i == 0 ? "" : ", ", shape[i]);
	strcpy(text_out + len, "]");
}
