/* SPDX-License-Identifier: Apache-2.0 */
#include "core/data/pair_names.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "core/data/name_list.h"

#define NO_NAME (-1) /* in the file */

_Static_assert(DATASET_NONE == (uint32_t)NO_NAME, "the file's numbers are taken as they are");

static enum status read_bytes(const char *path, uint64_t offset, void *out, size_t len,
			      struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum status status = STATUS_OK;
	char *at = out;

	if (fd < 0)
		return err_errno(err, STATUS_IO, "open");
	while (len > 0 && status == STATUS_OK) {
		ssize_t n = pread(fd, at, len, (off_t)offset);

		if (n < 0 && errno != EINTR)
			status = err_errno(err, STATUS_IO, "read");
		else if (n == 0)
			status = err_set(err, STATUS_IO, "the file has become shorter");
		if (n > 0) {
			at += n;
			offset += (uint64_t)n;
			len -= (size_t)n;
		}
	}
	close(fd);
	return status;
}

static enum status check_tensor(const struct tensor *tensor, size_t n_pairs, struct err *err)
{
	char shape[TENSOR_SHAPE_TEXT];

	if (tensor->dtype != DTYPE_I32)
		return err_set(err, STATUS_BAD_FILE, "%s: dtype %s, want I32", tensor->name,
			       tensor->dtype_name);
	if (tensor->rank == 1 && tensor->shape[0] == n_pairs)
		return STATUS_OK;
	tensor_shape_text(tensor->shape, tensor->rank, shape);
	return err_set(err, STATUS_BAD_FILE, "%s: shape %s, want [%zu], one number a pair",
		       tensor->name, shape, n_pairs);
}

/* limit: of the numbers, which begin with 0; NO_NAME is allowed everywhere */
static enum status check_ids(const struct pair_names *names, size_t limit, struct err *err)
{
	for (size_t i = 0; i < names->n_pairs; i++) {
		if (names->id[i] != DATASET_NONE && names->id[i] >= limit)
			return err_set(err, STATUS_BAD_FILE,
				       "%s: pair %zu: %" PRId32 ", want %d (none) to %zu",
				       names->tensor, i + 1, (int32_t)names->id[i], NO_NAME,
				       limit - 1);
	}
	return STATUS_OK;
}

/* Names that no pair has would be users without preferences. */
static enum status check_used(const struct pair_names *names, struct err *err)
{
	bool *used = mem_array(names->n_names, sizeof(*used));
	enum status status = STATUS_OK;

	if (used == NULL)
		return err_no_memory(err, "names");
	for (size_t i = 0; i < names->n_pairs; i++) {
		if (names->id[i] != DATASET_NONE)
			used[names->id[i]] = true;
	}
	for (size_t k = 0; k < names->n_names && status == STATUS_OK; k++) {
		if (!used[k])
			status = err_set(err, STATUS_BAD_FILE, "%s: no pair has name %zu of %s",
					 names->tensor, k, names->key);
	}
	mem_free(used);
	return status;
}

static enum status read_list(const struct safetensors *file, struct pair_names *names,
			     struct err *err)
{
	const char *text = safetensors_metadata(file, names->key);
	struct intern list = {0};
	enum status status;

	if (text == NULL)
		return err_set(err, STATUS_BAD_FILE, "__metadata__: %s is missing, the names of %s",
			       names->key, names->tensor);
	status = name_list_parse(text, names->key, &list, err);
	if (status == STATUS_OK)
		status = intern_strings(&list, &names->names, err);
	if (status == STATUS_OK)
		names->n_names = list.n;
	intern_free(&list);
	if (status == STATUS_OK)
		status = check_ids(names, names->n_names, err);
	return status == STATUS_OK ? check_used(names, err) : status;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The distinct numbers, ascending; returns how many. */
static size_t distinct_ids(const struct pair_names *names, uint32_t *distinct)
{
	size_t n = 0, n_all = 0;

	for (size_t i = 0; i < names->n_pairs; i++) {
		if (names->id[i] != DATASET_NONE)
			distinct[n_all++] = names->id[i];
	}
	qsort(distinct, n_all, sizeof(*distinct), compare_ids);
	for (size_t i = 0; i < n_all; i++) {
		if (i == 0 || distinct[i] != distinct[n - 1])
			distinct[n++] = distinct[i];
	}
	return n;
}

static enum status name_by_number(struct pair_names *names, const uint32_t *distinct, size_t n,
				  struct err *err)
{
	char digits[16];

	names->names = mem_array(n, sizeof(*names->names));
	if (names->names == NULL)
		return err_no_memory(err, "names");
	for (; names->n_names < n; names->n_names++) {
		int len = snprintf(digits, sizeof(digits), "%" PRIu32, distinct[names->n_names]);

		names->names[names->n_names] = mem_string(digits, (size_t)len);
		if (names->names[names->n_names] == NULL)
			return err_no_memory(err, "names");
	}
	for (size_t i = 0; i < names->n_pairs; i++) {
		if (names->id[i] == DATASET_NONE)
			continue;
		const uint32_t *at =
		    bsearch(&names->id[i], distinct, n, sizeof(*distinct), compare_ids);
		names->id[i] = (uint32_t)(at - distinct);
	}
	return STATUS_OK;
}

/* Numbers may have gaps, which would be users without preferences. */
static enum status close_gaps(struct pair_names *names, struct err *err)
{
	uint32_t *distinct;
	enum status status = check_ids(names, (size_t)INT32_MAX + 1, err);

	if (status != STATUS_OK)
		return status;
	distinct = mem_array(names->n_pairs, sizeof(*distinct));
	if (distinct == NULL)
		return err_no_memory(err, "names");
	status = name_by_number(names, distinct, distinct_ids(names, distinct), err);
	mem_free(distinct);
	return status;
}

enum status pair_names_read(const char *path, const struct safetensors *file, bool described,
			    struct pair_names *names, struct err *err)
{
	const struct tensor *tensor = safetensors_find(file, names->tensor);
	enum status status;

	if (tensor == NULL) {
		for (size_t i = 0; i < names->n_pairs; i++)
			names->id[i] = DATASET_NONE;
		return STATUS_OK;
	}
	status = check_tensor(tensor, names->n_pairs, err);
	if (status == STATUS_OK)
		status = read_bytes(path, tensor->offset, names->id,
				    names->n_pairs * sizeof(*names->id), err);
	if (status != STATUS_OK)
		return status;
	return described ? read_list(file, names, err) : close_gaps(names, err);
}
