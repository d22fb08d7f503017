/* SPDX-License-Identifier: Apache-2.0 */
/* tensor.c - a tensor's numbers as float, its shape as text */
#include "core/model/safetensors.h"

#include <stdio.h>
#include <string.h>

#include "core/math/logmath.h"

enum status tensor_floats(const struct tensor *tensor, float *out, struct err *err)
{
	size_t bad;

	if (!dtype_is_float(tensor->dtype))
		return err_set(err, STATUS_BAD_FILE, "%s: dtype %s, want F32, F16 or BF16",
			       tensor->name, tensor->dtype_name);
	dtype_to_floats(tensor->dtype, tensor->data, tensor->n_elements, out);
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
