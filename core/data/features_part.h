/* SPDX-License-Identifier: Apache-2.0 */
/*
 * features_part.h - a features file while it is written, FILE.part: the finished file's bytes
 * as far as they go, then a page that says how many pairs are on disk. Whoever is killed
 * at any moment, and the machine with them, goes on from there.
 */
#ifndef MICRO_DATA_FEATURES_PART_H
#define MICRO_DATA_FEATURES_PART_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/atomic_file.h"
#include "core/base/err.h"
#include "core/model/safetensors.h"

#define FEATURES_PART_SUFFIX ".part"

struct features_part {
	struct atomic_file file;
	const struct safetensors_head *head; /* of the finished file; the caller's */
	size_t n_done;			     /* pairs that are on disk for good */
};

/**
 * features_part_open(part, path, head, err): begin FILE.part, or go on with the one that
 * is there if its header is the same. Otherwise STATUS_INVALID_VALUE says what differs, and
 * it is as it was. Errors: also STATUS_IO, STATUS_NO_MEMORY. End with commit or close.
 */
enum status features_part_open(struct features_part *part, const char *path,
			       const struct safetensors_head *head, struct err *err);

/** features_part_write(part, bytes, len, offset, err): of the finished file. STATUS_IO. */
enum status features_part_write(struct features_part *part, const void *bytes, size_t len,
				uint64_t offset, struct err *err);

/** features_part_keep(part, n_done, err): all written so far to disk, with their number. */
enum status features_part_keep(struct features_part *part, size_t n_done, struct err *err);

/** features_part_commit(part, err): everything is written: the file gets its name. STATUS_IO. */
enum status features_part_commit(struct features_part *part, struct err *err);

/** features_part_close(part): give up for now; FILE.part stays. */
void features_part_close(struct features_part *part);

#endif
