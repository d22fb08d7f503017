/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors.c - the strict reader of the safetensors format */
#include "core/model/safetensors.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/file_map.h"
#include "core/base/mem.h"
#include "core/json/tree.h"
#include "core/model/safetensors_impl.h"

/* A tensor and its data_offsets. */
struct entry {
	struct tensor tensor;
	unsigned bits; /* of one number */
	size_t begin, end;
};

/*
 * Invariants: 1. entries are ordered by begin and cover [0, data_len) without gap or overlap.
 *             2. names, entries and metadata live in arena.
 */
struct safetensors {
	struct file_map map; /* empty: the bytes are the caller's */
	struct arena arena;
	const struct node *header;
	const unsigned char *data; /* NULL: only the header is mapped */
	uint64_t data_offset;	   /* in the file */
	size_t data_len;
	struct entry *entries; /* [n_entries] */
	size_t n_entries;
	struct metadata_spec *metadata; /* [n_metadata], ordered by key */
	size_t n_metadata;
};

static const struct dtype_info {
	const char *name;
	unsigned bits;
	enum dtype dtype;
} dtypes[] = {
    {"F32", 32, DTYPE_F32},	 {"F16", 16, DTYPE_F16},      {"BF16", 16, DTYPE_BF16},
    {"I32", 32, DTYPE_I32},	 {"BOOL", 8, DTYPE_OTHER},    {"U8", 8, DTYPE_OTHER},
    {"I8", 8, DTYPE_OTHER},	 {"I16", 16, DTYPE_OTHER},    {"U16", 16, DTYPE_OTHER},
    {"U32", 32, DTYPE_OTHER},	 {"I64", 64, DTYPE_OTHER},    {"U64", 64, DTYPE_OTHER},
    {"F64", 64, DTYPE_OTHER},	 {"C64", 64, DTYPE_OTHER},    {"F8_E4M3", 8, DTYPE_OTHER},
    {"F8_E5M2", 8, DTYPE_OTHER}, {"F8_E8M0", 8, DTYPE_OTHER}, {"F6_E2M3", 6, DTYPE_OTHER},
    {"F6_E3M2", 6, DTYPE_OTHER}, {"F4", 4, DTYPE_OTHER},
};

#define N_DTYPES  (sizeof(dtypes) / sizeof(dtypes[0]))
#define SHOWN_MAX 64u /* bytes of a text in a message */

/* The string with a NUL, NULL without memory. */
static const char *keep_string(struct safetensors *file, const struct node *string)
{
	return arena_string(&file->arena, string->bytes, string->n);
}

static enum status parse_dtype(const struct node *value, struct entry *entry, struct err *err)
{
	struct tensor *tensor = &entry->tensor;

	if (value == NULL || value->kind != NODE_STRING)
		return err_set(err, STATUS_BAD_FILE, "%s: dtype is missing or not a string",
			       tensor->name);
	for (size_t i = 0; i < N_DTYPES; i++) {
		if (node_is(value, dtypes[i].name)) {
			tensor->dtype = dtypes[i].dtype;
			tensor->dtype_name = dtypes[i].name;
			entry->bits = dtypes[i].bits;
			return STATUS_OK;
		}
	}
	return err_set(err, STATUS_BAD_FILE, "%s: unknown dtype \"%.*s\"", tensor->name,
		       (int)(value->n < SHOWN_MAX ? value->n : SHOWN_MAX), value->bytes);
}

static enum status parse_shape(const struct node *value, struct tensor *tensor, struct err *err)
{
	const char *name = tensor->name;
	const struct node *length;

	if (value == NULL || value->kind != NODE_ARRAY)
		return err_set(err, STATUS_BAD_FILE, "%s: shape is missing or not an array", name);
	if (value->n > SAFETENSORS_MAX_RANK)
		return err_set(err, STATUS_BAD_FILE, "%s: shape has %u dimensions, want at most %d",
			       name, value->n, SAFETENSORS_MAX_RANK);
	tensor->rank = value->n;
	tensor->n_elements = 1;
	length = node_first(value);
	for (size_t i = 0; i < tensor->rank; i++, length = node_next(length)) {
		if (length->kind != NODE_INTEGER || length->integer < 0)
			return err_set(err, STATUS_BAD_FILE,
				       "%s: shape[%zu] is not a non-negative integer", name, i);
		tensor->shape[i] = (size_t)length->integer;
		if (!mem_mul(tensor->n_elements, tensor->shape[i], &tensor->n_elements))
			return err_set(err, STATUS_BAD_FILE, "%s: shape is too large", name);
	}
	return STATUS_OK;
}

static bool is_pair(const struct node *value)
{
	return value != NULL && value->kind == NODE_ARRAY && value->n == 2 &&
	       node_first(value)->kind == NODE_INTEGER &&
	       node_next(node_first(value))->kind == NODE_INTEGER;
}

static enum status parse_offsets(const struct node *value, size_t data_len, struct entry *entry,
				 struct err *err)
{
	const char *name = entry->tensor.name;
	int64_t begin, end;

	if (!is_pair(value))
		return err_set(err, STATUS_BAD_FILE, "%s: data_offsets is not two integers", name);
	begin = node_first(value)->integer;
	end = node_next(node_first(value))->integer;
	if (begin < 0 || end < begin || (uint64_t)end > data_len)
		return err_set(err, STATUS_BAD_FILE,
			       "%s: data_offsets [%" PRId64 ", %" PRId64
			       "], want 0 <= begin <= end <= %zu",
			       name, begin, end, data_len);
	entry->begin = (size_t)begin;
	entry->end = (size_t)end;
	return STATUS_OK;
}

static enum status check_size(const struct entry *entry, struct err *err)
{
	const struct tensor *tensor = &entry->tensor;
	size_t n_bytes = entry->end - entry->begin;
	char shape[TENSOR_SHAPE_TEXT];
	size_t n_bits;

	if (mem_mul(tensor->n_elements, entry->bits, &n_bits) && n_bits % 8 == 0 &&
	    n_bits / 8 == n_bytes)
		return STATUS_OK;
	tensor_shape_text(tensor->shape, tensor->rank, shape);
	return err_set(err, STATUS_BAD_FILE, "%s: %zu bytes of data do not fit dtype %s, shape %s",
		       tensor->name, n_bytes, tensor->dtype_name, shape);
}

static enum status parse_entry(const struct safetensors *file, const char *name,
			       const struct node *value, struct entry *entry, struct err *err)
{
	struct tensor *tensor = &entry->tensor;
	enum status status;

	tensor->name = name;
	if (value->kind != NODE_OBJECT)
		return err_set(err, STATUS_BAD_FILE, "%s: not an object", name);
	status = parse_dtype(node_find(value, "dtype"), entry, err);
	if (status == STATUS_OK)
		status = parse_shape(node_find(value, "shape"), tensor, err);
	if (status == STATUS_OK)
		status =
		    parse_offsets(node_find(value, "data_offsets"), file->data_len, entry, err);
	if (status == STATUS_OK)
		status = check_size(entry, err);
	tensor->offset = file->data_offset + entry->begin;
	tensor->data = file->data == NULL ? NULL : file->data + entry->begin;
	return status;
}

/* By begin; an empty tensor before the one that begins at the same byte. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return strcmp(x->tensor.name, y->tensor.name);
}

static enum status check_coverage(const struct safetensors *file, struct err *err)
{
	size_t at = 0;

	for (size_t i = 0; i < file->n_entries; i++) {
		const struct entry *entry = &file->entries[i];

		if (entry->begin != at)
			return err_set(err, STATUS_BAD_FILE,
				       "%s: data begins at byte %zu, want %zu (%s)",
				       entry->tensor.name, entry->begin, at,
				       entry->begin < at ? "overlap" : "gap");
		at = entry->end;
	}
	if (at != file->data_len)
		return err_set(err, STATUS_BAD_FILE,
			       "%zu bytes of data, but the tensors end at %zu", file->data_len, at);
	return STATUS_OK;
}

static enum status parse_entries(struct safetensors *file, struct err *err)
{
	const struct node *field = node_first(file->header), *end = node_end(file->header);

	file->entries = arena_array(&file->arena, file->header->n, sizeof(*file->entries));
	if (file->entries == NULL)
		return err_no_memory(err, "tensor list");
	for (; field != end; field = node_next(node_value(field))) {
		const char *name;
		enum status status;

		if (node_is(field, SAFETENSORS_METADATA))
			continue;
		name = keep_string(file, field);
		if (name == NULL)
			return err_no_memory(err, "tensor list");
		status = parse_entry(file, name, node_value(field),
				     &file->entries[file->n_entries++], err);
		if (status != STATUS_OK)
			return status;
	}
	qsort(file->entries, file->n_entries, sizeof(*file->entries), compare_entries);
	return check_coverage(file, err);
}

static int compare_metadata(const void *a, const void *b)
{
	return strcmp(((const struct metadata_spec *)a)->key,
		      ((const struct metadata_spec *)b)->key);
}

static enum status parse_metadata(struct safetensors *file, struct err *err)
{
	const struct node *object = node_find(file->header, SAFETENSORS_METADATA);
	const struct node *field, *end;

	if (object == NULL)
		return STATUS_OK;
	if (object->kind != NODE_OBJECT)
		return err_set(err, STATUS_BAD_FILE, SAFETENSORS_METADATA ": not an object");
	file->metadata = arena_array(&file->arena, object->n, sizeof(*file->metadata));
	if (file->metadata == NULL)
		return err_no_memory(err, "metadata");
	end = node_end(object);
	for (field = node_first(object); field != end; field = node_next(node_value(field))) {
		struct metadata_spec *spec = &file->metadata[file->n_metadata++];

		if (node_value(field)->kind != NODE_STRING)
			return err_set(
			    err, STATUS_BAD_FILE, SAFETENSORS_METADATA ": %.*s: not a string",
			    (int)(field->n < SHOWN_MAX ? field->n : SHOWN_MAX), field->bytes);
		spec->key = keep_string(file, field);
		spec->value = keep_string(file, node_value(field));
		if (spec->key == NULL || spec->value == NULL)
			return err_no_memory(err, "metadata");
	}
	qsort(file->metadata, file->n_metadata, sizeof(*file->metadata), compare_metadata);
	return STATUS_OK;
}

/* The header's length, which the file of file_len bytes has room for. */
static enum status parse_length(const void *bytes, size_t file_len, size_t *header_len_out,
				struct err *err)
{
	uint64_t header_len;

	if (file_len < SAFETENSORS_LENGTH_BYTES)
		return err_set(err, STATUS_BAD_FILE,
			       "%zu bytes, too short for a safetensors file: want at least %d",
			       file_len, SAFETENSORS_LENGTH_BYTES);
	memcpy(&header_len, bytes, SAFETENSORS_LENGTH_BYTES);
	if (header_len > SAFETENSORS_MAX_HEADER && file_len > SAFETENSORS_LENGTH_BYTES &&
	    ((const char *)bytes)[SAFETENSORS_LENGTH_BYTES] != '{')
		return err_set(err, STATUS_BAD_FILE,
			       "not a safetensors file, which begins with the length of its header "
			       "and '{'");
	if (header_len > SAFETENSORS_MAX_HEADER)
		return err_set(err, STATUS_BAD_FILE, "header of %" PRIu64 " bytes, want at most %u",
			       header_len, SAFETENSORS_MAX_HEADER);
	if (header_len > file_len - SAFETENSORS_LENGTH_BYTES)
		return err_set(err, STATUS_BAD_FILE,
			       "header of %" PRIu64 " bytes, but only %zu follow: truncated file",
			       header_len, file_len - SAFETENSORS_LENGTH_BYTES);
	*header_len_out = (size_t)header_len;
	return STATUS_OK;
}

/* A copy, because the parser wants a NUL at the end. */
static enum status parse_json(struct safetensors *file, const char *bytes, size_t len,
			      struct err *err)
{
	const char *text = arena_string(&file->arena, bytes, len);
	enum status status;

	if (text == NULL)
		return err_no_memory(err, "header");
	status = tree_parse_integers(text, len, &file->arena, &file->header, err);
	if (status == STATUS_OK || status == STATUS_NO_MEMORY)
		return status;
	err_wrap(err, "header");
	if (err != NULL)
		err->code = STATUS_BAD_FILE;
	return STATUS_BAD_FILE;
}

/* The header's JSON; sets file->header, data_offset and data_len. */
static enum status parse_header(struct safetensors *file, const unsigned char *bytes,
				size_t file_len, struct err *err)
{
	size_t header_len = 0;
	enum status status = parse_length(bytes, file_len, &header_len, err);

	if (status != STATUS_OK)
		return status;
	bytes += SAFETENSORS_LENGTH_BYTES;
	if (header_len == 0 || bytes[0] != '{')
		return err_set(err, STATUS_BAD_FILE, "header does not begin with '{'");
	file->data_offset = SAFETENSORS_LENGTH_BYTES + header_len;
	file->data_len = file_len - (size_t)file->data_offset;
	return parse_json(file, (const char *)bytes, header_len, err);
}

/* bytes: of the whole file, or with_data false at least all up to the data. */
static enum status parse(const unsigned char *bytes, size_t file_len, bool with_data,
			 struct safetensors **file_out, struct err *err)
{
	struct safetensors *file = mem_array(1, sizeof(*file));
	enum status status;

	if (file == NULL)
		return err_no_memory(err, "safetensors file");
	status = parse_header(file, bytes, file_len, err);
	if (status == STATUS_OK && with_data)
		file->data = bytes + file->data_offset;
	if (status == STATUS_OK)
		status = parse_metadata(file, err);
	if (status == STATUS_OK)
		status = parse_entries(file, err);
	if (status != STATUS_OK) {
		safetensors_close(file);
		return status;
	}
	*file_out = file;
	return STATUS_OK;
}

enum status safetensors_parse(const void *bytes, size_t len, struct safetensors **file_out,
			      struct err *err)
{
	return parse(bytes, len, true, file_out, err);
}

enum status safetensors_open(const char *path, struct safetensors **file_out, struct err *err)
{
	struct file_map map;
	enum status status = file_map_open(&map, path, err);

	if (status != STATUS_OK)
		return status;
	status = safetensors_parse(map.bytes, map.len, file_out, err);
	if (status != STATUS_OK) {
		file_map_close(&map);
		return status;
	}
	(*file_out)->map = map;
	return STATUS_OK;
}

enum status safetensors_open_header(const char *path, struct safetensors **file_out,
				    struct err *err)
{
	struct file_map map;
	size_t file_len, header_len = 0;
	enum status status =
	    file_map_open_head(&map, path, SAFETENSORS_LENGTH_BYTES, &file_len, err);

	if (status != STATUS_OK)
		return status;
	status = parse_length(map.bytes, file_len, &header_len, err);
	file_map_close(&map);
	if (status == STATUS_OK)
		status = file_map_open_head(&map, path, SAFETENSORS_LENGTH_BYTES + header_len,
					    &file_len, err);
	if (status != STATUS_OK)
		return status;
	/* the file may have changed in between */
	if (map.len < SAFETENSORS_LENGTH_BYTES + header_len)
		status = err_set(err, STATUS_BAD_FILE, "the file has become shorter");
	else
		status = parse(map.bytes, file_len, false, file_out, err);
	file_map_close(&map);
	return status;
}

void safetensors_close(struct safetensors *file)
{
	if (file == NULL)
		return;
	file_map_close(&file->map);
	arena_free(&file->arena);
	mem_free(file);
}

const struct tensor *safetensors_find(const struct safetensors *file, const char *name)
{
	for (size_t i = 0; i < file->n_entries; i++) {
		if (strcmp(file->entries[i].tensor.name, name) == 0)
			return &file->entries[i].tensor;
	}
	return NULL;
}

size_t safetensors_count(const struct safetensors *file)
{
	return file->n_entries;
}

const struct tensor *safetensors_at(const struct safetensors *file, size_t i)
{
	assert(i < file->n_entries);
	return &file->entries[i].tensor;
}

static int compare_key(const void *key, const void *metadata)
{
	return strcmp(key, ((const struct metadata_spec *)metadata)->key);
}

const char *safetensors_metadata(const struct safetensors *file, const char *key)
{
	const struct metadata_spec *found = file->n_metadata == 0
						? NULL
						: bsearch(key, file->metadata, file->n_metadata,
							  sizeof(*file->metadata), compare_key);

	return found == NULL ? NULL : found->value;
}

size_t safetensors_metadata_count(const struct safetensors *file)
{
	return file->n_metadata;
}

void safetensors_metadata_at(const struct safetensors *file, size_t i, const char **key_out,
			     const char **value_out)
{
	assert(i < file->n_metadata);
	*key_out = file->metadata[i].key;
	*value_out = file->metadata[i].value;
}
