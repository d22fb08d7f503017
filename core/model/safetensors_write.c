/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors_write.c - the deterministic, atomic writer of the safetensors format */
#include "core/model/safetensors.h"

#include <inttypes.h>
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

/* A tensor in the order of the file. */
struct item {
	const struct tensor_spec *spec;
	enum dtype dtype;
};

static size_t item_bytes(const struct item *item)
{
	return count_elements(item->spec) * dtype_size(item->dtype);
}

/* Wide numbers first: then all are aligned. */
static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	size_t x_size = dtype_size(x->dtype), y_size = dtype_size(y->dtype);

	if (x_size != y_size)
		return x_size > y_size ? -1 : 1;
	return strcmp(x->spec->name, y->spec->name);
}

/* New, NULL without memory. dtypes NULL: all DTYPE_F32. */
static struct item *sort_items(const struct tensor_spec *tensors, const enum dtype *dtypes,
			       size_t n_tensors)
{
	struct item *items = mem_array(n_tensors, sizeof(*items));

	if (items == NULL)
		return NULL;
	for (size_t i = 0; i < n_tensors; i++)
		items[i] = (struct item){&tensors[i], dtypes == NULL ? DTYPE_F32 : dtypes[i]};
	qsort(items, n_tensors, sizeof(*items), compare_items);
	return items;
}

static enum status check_values(const struct tensor_spec *tensors, size_t n_tensors,
				struct err *err)
{
	size_t bad;

	for (size_t i = 0; i < n_tensors; i++) {
		if (!all_finite_f(tensors[i].data, count_elements(&tensors[i]), &bad))
			return err_set(err, STATUS_NOT_FINITE, "%s: number %zu is not finite",
				       tensors[i].name, bad);
	}
	return STATUS_OK;
}

static enum status check_metadata(const struct metadata_spec *metadata, size_t n_metadata,
				  struct err *err)
{
	for (size_t i = 0; i < n_metadata; i++) {
		const char *value = metadata[i].value;

		if (u8_check((const uint8_t *)value, strlen(value)) != NULL)
			return err_set(err, STATUS_INVALID_VALUE, "%s: not valid UTF-8",
				       metadata[i].key);
	}
	return STATUS_OK;
}

/* {"dtype":"F32","shape":[...],"data_offsets":[begin,end]}; NULL without memory */
static json_t *describe_tensor(const struct item *item, size_t begin, size_t end)
{
	const struct tensor_spec *tensor = item->spec;
	json_t *shape = json_array();

	for (size_t i = 0; i < tensor->rank; i++) {
		if (json_array_append_new(shape, json_integer((json_int_t)tensor->shape[i])) != 0) {
			json_decref(shape);
			return NULL;
		}
	}
	return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_name(item->dtype), "shape", shape,
			 "data_offsets", (json_int_t)begin, (json_int_t)end);
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

/* The header's text without padding. NULL without memory. end_out: of the last tensor. */
static char *header_text(const struct item *sorted, size_t n_tensors,
			 const struct metadata_spec *metadata, size_t n_metadata, size_t *end_out)
{
	json_t *header = json_object();
	size_t at = 0;
	char *text = NULL;

	if (json_object_set_new(header, SAFETENSORS_METADATA,
				describe_metadata(metadata, n_metadata)) != 0)
		goto done;
	for (size_t i = 0; i < n_tensors; i++) {
		size_t end = at + item_bytes(&sorted[i]);

		if (json_object_set_new(header, sorted[i].spec->name,
					describe_tensor(&sorted[i], at, end)) != 0)
			goto done;
		at = end;
	}
	*end_out = at;
	text = jsontext_dump(header, JSON_COMPACT | JSON_SORT_KEYS);
done:
	json_decref(header);
	return text;
}

/* Length, text, padding. */
static enum status make_head(const char *text, size_t data_len, struct safetensors_head *head_out,
			     struct err *err)
{
	size_t text_len = strlen(text);
	uint64_t header_len = text_len + -text_len % SAFETENSORS_ALIGNMENT;
	size_t len = SAFETENSORS_LENGTH_BYTES + (size_t)header_len;
	char *bytes;

	if (header_len > SAFETENSORS_MAX_HEADER)
		return err_set(err, STATUS_TOO_LARGE,
			       "header of %" PRIu64 " bytes, and the format allows %u", header_len,
			       SAFETENSORS_MAX_HEADER);
	bytes = mem_array(len, 1);
	if (bytes == NULL)
		return err_no_memory(err, "header");
	memset(bytes, ' ', len);
	memcpy(bytes, &header_len, SAFETENSORS_LENGTH_BYTES);
	memcpy(bytes + SAFETENSORS_LENGTH_BYTES, text, text_len);
	*head_out = (struct safetensors_head){bytes, len, len + data_len};
	return STATUS_OK;
}

static enum status sorted_head(const struct item *sorted, size_t n_tensors,
			       const struct metadata_spec *metadata, size_t n_metadata,
			       struct safetensors_head *head_out, struct err *err)
{
	size_t data_len = 0;
	char *text = header_text(sorted, n_tensors, metadata, n_metadata, &data_len);
	enum status status;

	if (text == NULL)
		return err_no_memory(err, "header");
	status = make_head(text, data_len, head_out, err);
	mem_free(text);
	return status;
}

enum status safetensors_head_make(const struct tensor_spec *tensors, const enum dtype *dtypes,
				  size_t n_tensors, const struct metadata_spec *metadata,
				  size_t n_metadata, struct safetensors_head *head_out,
				  uint64_t *offsets_out, struct err *err)
{
	struct item *sorted;
	enum status status = check_metadata(metadata, n_metadata, err);

	if (status != STATUS_OK)
		return status;
	sorted = sort_items(tensors, dtypes, n_tensors);
	if (sorted == NULL)
		return err_no_memory(err, "tensor list");
	status = sorted_head(sorted, n_tensors, metadata, n_metadata, head_out, err);
	if (status == STATUS_OK) {
		uint64_t at = head_out->len;

		for (size_t i = 0; i < n_tensors; i++) {
			offsets_out[sorted[i].spec - tensors] = at;
			at += item_bytes(&sorted[i]);
		}
	}
	mem_free(sorted);
	return status;
}

static enum status write_content(struct atomic_file *file, const struct safetensors_head *head,
				 const struct item *sorted, size_t n_tensors, struct err *err)
{
	enum status status = atomic_file_write(file, head->bytes, head->len, err);

	for (size_t i = 0; i < n_tensors && status == STATUS_OK; i++)
		status = atomic_file_write(file, sorted[i].spec->data, item_bytes(&sorted[i]), err);
	return status;
}

static enum status write_file(const char *path, const struct safetensors_head *head,
			      const struct item *sorted, size_t n_tensors, struct err *err)
{
	struct atomic_file file;
	enum status status = atomic_file_open(&file, path, err);

	if (status != STATUS_OK)
		return status;
	status = write_content(&file, head, sorted, n_tensors, err);
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
	struct item *sorted;
	struct safetensors_head head;
	enum status status = check_values(tensors, n_tensors, err);

	if (status == STATUS_OK)
		status = check_metadata(metadata, n_metadata, err);
	if (status != STATUS_OK)
		return status;
	sorted = sort_items(tensors, NULL, n_tensors);
	if (sorted == NULL)
		return err_no_memory(err, "tensor list");
	status = sorted_head(sorted, n_tensors, metadata, n_metadata, &head, err);
	if (status == STATUS_OK) {
		status = write_file(path, &head, sorted, n_tensors, err);
		mem_free(head.bytes);
	}
	mem_free(sorted);
	return status;
}
