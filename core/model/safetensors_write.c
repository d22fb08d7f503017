/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors_write.c - the deterministic, atomic writer of the safetensors format */
#include "core/model/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <unistr.h>

#include "core/base/atomic_file.h"
#include "core/base/jsontext.h"
#include "core/base/mem.h"
#include "core/math/logmath.h"
#include "core/model/safetensors_impl.h"

static size_t count_elements(const struct tensor_spec *tensor)
{
	size_t n = 1;

	for (size_t i = 0; i < tensor->rank; i++)
		n *= tensor->shape[i];
	return n;
}

static int compare_names(const void *a, const void *b)
{
	const struct tensor_spec *const *x = a;
	const struct tensor_spec *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static enum status check_values(const struct tensor_spec *tensors, size_t n_tensors,
				const struct metadata_spec *metadata, size_t n_metadata,
				struct err *err)
{
	size_t bad;

	for (size_t i = 0; i < n_tensors; i++) {
		if (!all_finite_f(tensors[i].data, count_elements(&tensors[i]), &bad))
			return err_set(err, STATUS_NOT_FINITE, "%s: number %zu is not finite",
				       tensors[i].name, bad);
	}
	for (size_t i = 0; i < n_metadata; i++) {
		const char *value = metadata[i].value;

		if (u8_check((const uint8_t *)value, strlen(value)) != NULL)
			return err_set(err, STATUS_INVALID_VALUE, "%s: not valid UTF-8",
				       metadata[i].key);
	}
	return STATUS_OK;
}

/* {"dtype":"F32","shape":[...],"data_offsets":[begin,end]}; NULL without memory */
static json_t *describe_tensor(const struct tensor_spec *tensor, size_t begin, size_t end)
{
	json_t *shape = json_array();

	for (size_t i = 0; i < tensor->rank; i++) {
		if (json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i])) != 0) {
			json_decref(shape);
			return NULL;
		}
	}
	return json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
			 (json_int_t)begin, (json_int_t)end);
}

static json_t *describe_metadata(const struct metadata_spec *metadata, size_t n_metadata)
{
	json_t *object = json_object();

	for (size_t i = 0; i < n_metadata; i++) {
		if (json_object_set_new(object, metadata[i].key, json_string(metadata[i].value)) !=
		    0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* The header's text without padding. NULL without memory. */
static char *header_text(const struct tensor_spec *const *sorted, size_t n_tensors,
			 const struct metadata_spec *metadata, size_t n_metadata)
{
	json_t *header = json_object();
	size_t at = 0;
	char *text = NULL;

	if (json_object_set_new(header, SAFETENSORS_METADATA,
				describe_metadata(metadata, n_metadata)) != 0)
		goto done;
	for (size_t i = 0; i < n_tensors; i++) {
		size_t end = at + count_elements(sorted[i]) * sizeof(float);

		if (json_object_set_new(header, sorted[i]->name,
					describe_tensor(sorted[i], at, end)) != 0)
			goto done;
		at = end;
	}
	text = jsontext_dump(header, JSON_COMPACT | JSON_SORT_KEYS);
done:
	json_decref(header);
	return text;
}

static enum status write_content(struct atomic_file *file, const char *header,
				 const struct tensor_spec *const *sorted, size_t n_tensors,
				 struct err *err)
{
	static const char padding[SAFETENSORS_ALIGNMENT] = "        ";
	size_t text_len = strlen(header);
	size_t pad_len = -text_len % SAFETENSORS_ALIGNMENT;
	uint64_t header_len = text_len + pad_len;
	enum status status;

	status = atomic_file_write(file, &header_len, sizeof(header_len), err);
	if (status == STATUS_OK)
		status = atomic_file_write(file, header, text_len, err);
	if (status == STATUS_OK)
		status = atomic_file_write(file, padding, pad_len, err);
	for (size_t i = 0; i < n_tensors && status == STATUS_OK; i++)
		status = atomic_file_write(file, sorted[i]->data,
					   count_elements(sorted[i]) * sizeof(float), err);
	return status;
}

static enum status write_file(const char *path, const char *header,
			      const struct tensor_spec *const *sorted, size_t n_tensors,
			      struct err *err)
{
	struct atomic_file file;
	enum status status = atomic_file_open(&file, path, err);

	if (status != STATUS_OK)
		return status;
	status = write_content(&file, header, sorted, n_tensors, err);
	if (status != STATUS_OK) {
		atomic_file_abort(&file);
		return status;
	}
	return atomic_file_commit(&file, err);
}

enum status safetensors_write(const char *path, const struct tensor_spec *tensors, size_t n_tensors,
			      const struct metadata_spec *metadata, size_t n_metadata,
			      struct err *err)
{
	const struct tensor_spec **sorted;
	enum status status = check_values(tensors, n_tensors, metadata, n_metadata, err);
	char *header;

	if (status != STATUS_OK)
		return status;
	sorted = mem_array(n_tensors, sizeof(*sorted));
	if (sorted == NULL)
		return err_no_memory(err, "tensor list");
	for (size_t i = 0; i < n_tensors; i++)
		sorted[i] = &tensors[i];
	qsort(sorted, n_tensors, sizeof(*sorted), compare_names);
	header = header_text(sorted, n_tensors, metadata, n_metadata);
	if (header == NULL)
		status = err_no_memory(err, "header");
	else
		status = write_file(path, header, sorted, n_tensors, err);
	mem_free(header);
	mem_free(sorted);
	return status;
}
