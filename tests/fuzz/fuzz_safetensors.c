/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_safetensors.c - any bytes: refused with a message, or a file whose promises hold. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/model/safetensors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/safetensors_mutator.h"

static void require(int ok)
{
	if (!ok)
		abort();
}

static void check_tensor(const struct safetensors *file, const struct tensor *tensor)
{
	char shape[TENSOR_SHAPE_TEXT];
	size_t n = 1;
	float *x;

	require(safetensors_find(file, tensor->name) == tensor);
	tensor_shape_text(tensor->shape, tensor->rank, shape);
	for (size_t i = 0; i < tensor->rank; i++)
		n *= tensor->shape[i];
	require(n == tensor->n_elements);
	x = mem_array(n, sizeof(*x));
	require(x != NULL);
	if (tensor_floats(tensor, x, NULL) == STATUS_OK) {
		for (size_t i = 0; i < n; i++)
			require(isfinite(x[i]));
	}
	mem_free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct safetensors *file;
	struct err err = {.msg = ""};
	enum status status = safetensors_parse(bytes, len, &file, &err);

	if (status != STATUS_OK) {
		require(status == STATUS_BAD_FILE && err.code == status && err.msg[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < safetensors_count(file); i++) {
		const struct tensor *tensor = safetensors_at(file, i);

		require(tensor->data >= bytes && tensor->data <= bytes + len);
		require(i == 0 || tensor->data >= safetensors_at(file, i - 1)->data);
		check_tensor(file, tensor);
	}
	for (size_t i = 0; i < safetensors_metadata_count(file); i++) {
		const char *key, *value;

		safetensors_metadata_at(file, i, &key, &value);
		require(safetensors_metadata(file, key) == value);
	}
	safetensors_close(file);
	return 0;
}
