/* SPDX-License-Identifier: Apache-2.0 */
/* pair_names.h - the users or contexts of a features file: a tensor of numbers and their names. */
#ifndef MICRO_DATA_PAIR_NAMES_H
#define MICRO_DATA_PAIR_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"
#include "core/model/safetensors.h"

struct pair_names {
	const char *tensor; /* "user" */
	const char *key;    /* "users": of the metadata with the names */
	size_t n_pairs;
	uint32_t *id; /* [n_pairs]: filled; number of the name, or DATASET_NONE */
	char **names; /* [n_names]: new, NULL if the file has no such tensor */
	size_t n_names;
};

/**
 * pair_names_read(path, file, described, names, err): tensor .. id are given; file is the open
 * header of path. Without metadata of ours (described) names are the numbers, in ascending
 * order. names and each of them are the caller's to free, mem_free(), also on error.
 * Errors: STATUS_BAD_FILE naming tensor or key and pair (from 1), STATUS_IO, STATUS_NO_MEMORY.
 */
enum status pair_names_read(const char *path, const struct safetensors *file, bool described,
			    struct pair_names *names, struct err *err);

#endif
