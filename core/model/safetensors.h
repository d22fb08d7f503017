/* SPDX-License-Identifier: Apache-2.0 */
/*
 * safetensors.h - reading and writing the safetensors format: u64 little-endian
 * header length, JSON header, data; no gaps, no overlaps, exact file size.
 *
 * The reader trusts nothing: every fault names the tensor and what was expected.
 */
#ifndef MICRO_MODEL_SAFETENSORS_H
#define MICRO_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/dtype.h"
#include "core/base/err.h"

#define SAFETENSORS_MAX_HEADER 100000000u
#define SAFETENSORS_MAX_RANK   8
#define TENSOR_SHAPE_TEXT      192 /* enough for any shape as text */

struct tensor {
	const char *name;
	enum dtype dtype;
	const char *dtype_name; /* as in the file, "F32" */
	size_t rank;
	size_t shape[SAFETENSORS_MAX_RANK];
	size_t n_elements; /* product of shape */
	uint64_t offset;   /* of data in the file */
	const unsigned char
	    *data; /* little-endian, row-major, may be unaligned; NULL: not mapped */
};

struct safetensors; /* an open file or a buffer; opaque */

/**
 * safetensors_open(path, file_out, err): map and check a file: header length,
 * JSON without duplicate keys, dtypes, shapes (overflow-checked), offsets that
 * cover the data exactly. Tensors of other dtypes than those of enum dtype are
 * accepted and unreadable. Errors: STATUS_IO, STATUS_BAD_FILE, STATUS_NO_MEMORY.
 */
enum status safetensors_open(const char *path, struct safetensors **file_out, struct err *err);

/** safetensors_parse(bytes, len, file_out, err): the same on memory that outlives file_out. */
enum status safetensors_parse(const void *bytes, size_t len, struct safetensors **file_out,
			      struct err *err);

/**
 * safetensors_open_header(path, file_out, err): like safetensors_open(), but only the header
 * is read: for files whose data need not fit into memory. Tensors have an offset, no data.
 */
enum status safetensors_open_header(const char *path, struct safetensors **file_out,
				    struct err *err);

/** safetensors_close(file): unmaps; NULL does nothing. */
void safetensors_close(struct safetensors *file);

/** safetensors_find(file, name): NULL if there is none. */
const struct tensor *safetensors_find(const struct safetensors *file, const char *name);

/** safetensors_count(file), safetensors_at(file, i): all tensors, by offset. */
size_t safetensors_count(const struct safetensors *file);
const struct tensor *safetensors_at(const struct safetensors *file, size_t i);

/** safetensors_metadata(file, key): a __metadata__ string, NULL if there is none. */
const char *safetensors_metadata(const struct safetensors *file, const char *key);

/** safetensors_metadata_count(file), safetensors_metadata_at(file, i, key, value): all of it. */
size_t safetensors_metadata_count(const struct safetensors *file);
void safetensors_metadata_at(const struct safetensors *file, size_t i, const char **key_out,
			     const char **value_out);

/**
 * tensor_floats(tensor, out, err): its elements as float32 in out [n_elements].
 * Errors: STATUS_BAD_FILE for a dtype other than F32, F16, BF16 or for a value
 * that is not finite (names tensor and index).
 */
enum status tensor_floats(const struct tensor *tensor, float *out, struct err *err);

/** tensor_shape_text(shape, rank, text_out): such as "[64, 12]". */
void tensor_shape_text(const size_t *shape, size_t rank, char text_out[TENSOR_SHAPE_TEXT]);

/* What is to be written. */
struct tensor_spec {
	const char *name;
	size_t rank;
	size_t shape[SAFETENSORS_MAX_RANK];
	const float *data; /* written as F32 */
};

struct metadata_spec {
	const char *key;
	const char *value; /* UTF-8 */
};

/**
 * safetensors_write(path, tensors, n_tensors, metadata, n_metadata, err):
 * deterministic bytes: tensors ordered by name, metadata by key, header padded
 * with spaces to a multiple of 8. Atomic: a temporary file in the same folder,
 * fsync, rename, fsync of the folder; on any error the old file is as it was
 * and no temporary file is left. Refuses non-finite values.
 */
enum status safetensors_write(const char *path, const struct tensor_spec *tensors, size_t n_tensors,
			      const struct metadata_spec *metadata, size_t n_metadata,
			      struct err *err);

/** A file's beginning, for who writes the data on their own. */
struct safetensors_head {
	char *bytes; /* [len]: the header's length, the header */
	size_t len;
	uint64_t file_len; /* of the whole file */
};

/**
 * safetensors_head_make(tensors, dtypes, n_tensors, metadata, n_metadata, head_out,
 * offsets_out, err): the same layout for tensors whose data is not looked at, tensor i of
 * dtypes[i], none DTYPE_OTHER; the wider dtypes first, so that all numbers are aligned, each
 * by name. offsets_out [n_tensors]: where in the file the data of each belongs. The caller
 * frees head_out->bytes with mem_free(). Errors: STATUS_TOO_LARGE (the header),
 * STATUS_NO_MEMORY, STATUS_INVALID_VALUE (metadata that is not UTF-8).
 */
enum status safetensors_head_make(const struct tensor_spec *tensors, const enum dtype *dtypes,
				  size_t n_tensors, const struct metadata_spec *metadata,
				  size_t n_metadata, struct safetensors_head *head_out,
				  uint64_t *offsets_out, struct err *err);

#endif
