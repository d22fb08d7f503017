/* SPDX-License-Identifier: Apache-2.0 */
/* file_map.h - the bytes of a file, mapped for reading. */
#ifndef MICRO_BASE_FILE_MAP_H
#define MICRO_BASE_FILE_MAP_H

#include <stddef.h>

#include "core/base/err.h"

struct file_map {
	const void *bytes; /* NULL: nothing is mapped */
	size_t len;
};

/**
 * file_map_open(map, path, err): end with file_map_close(). Errors: STATUS_IO;
 * STATUS_BAD_FILE for an empty file and for what is no regular file.
 */
enum status file_map_open(struct file_map *map, const char *path, struct err *err);

/**
 * file_map_open_head(map, path, max_len, file_len_out, err): the same of the first max_len
 * bytes at most; file_len_out: of the whole file.
 */
enum status file_map_open_head(struct file_map *map, const char *path, size_t max_len,
			       size_t *file_len_out, struct err *err);

/** file_map_close(map): a zeroed map is allowed. */
void file_map_close(struct file_map *map);

#endif
