/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atomic_file.h - replace a file as a whole or not at all: whoever opens the
 * path sees the old bytes or the new ones, also after a crash or a full disk.
 */
#ifndef MICRO_BASE_ATOMIC_FILE_H
#define MICRO_BASE_ATOMIC_FILE_H

#include <limits.h>
#include <stddef.h>

#include "core/base/err.h"

struct atomic_file {
	int fd;			  /* of temporary */
	char target[PATH_MAX];	  /* what will be replaced; symbolic links resolved */
	char temporary[PATH_MAX]; /* in the folder of target */
};

/**
 * atomic_file_open(file, path, err): begin; permissions of the new file follow
 * the umask. A symbolic link is kept and what it points to is replaced. End with
 * commit or abort. Errors: STATUS_IO, also if path is there but no regular file.
 */
enum status atomic_file_open(struct atomic_file *file, const char *path, struct err *err);

/** atomic_file_write(file, bytes, len, err): append; after STATUS_IO, abort. */
enum status atomic_file_write(struct atomic_file *file, const void *bytes, size_t len,
			      struct err *err);

/**
 * atomic_file_commit(file, err): fsync, rename, fsync of the folder. On error the
 * temporary file is removed and the old file is as it was; only when the last
 * fsync fails, the new file is in place and may be lost in a crash.
 */
enum status atomic_file_commit(struct atomic_file *file, struct err *err);

/** atomic_file_abort(file): give up; the old file is as it was. */
void atomic_file_abort(struct atomic_file *file);

#endif
