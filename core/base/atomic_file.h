/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atomic_file.h - replace a file as a whole or not at all: whoever opens the
 * path sees the old bytes or the new ones, also after a crash or a full disk.
 */
#ifndef MICRO_BASE_ATOMIC_FILE_H
#define MICRO_BASE_ATOMIC_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/err.h"

struct atomic_file {
	int fd;			  /* of temporary */
	char target[PATH_MAX];	  /* what will be replaced; symbolic links resolved */
	char temporary[PATH_MAX]; /* in the folder of target */
	bool stays;		  /* the temporary file is not removed when it is given up */
};

/**
 * atomic_file_open(file, path, err): begin; permissions of the new file follow
 * the umask. A symbolic link is kept and what it points to is replaced. End with
 * commit or abort. Errors: STATUS_IO, also if path is there but no regular file.
 */
enum status atomic_file_open(struct atomic_file *file, const char *path, struct err *err);

/**
 * atomic_file_resume(file, path, suffix, err): begin, or go on where an earlier process
 * stopped: the temporary file has the target's name with suffix, is created if there is
 * none, opened for reading and writing, locked, and stays when it is given up. Errors:
 * STATUS_IO, also if another process has it open in this way.
 */
enum status atomic_file_resume(struct atomic_file *file, const char *path, const char *suffix,
			       struct err *err);

/** atomic_file_write(file, bytes, len, err): append; after STATUS_IO, abort. */
enum status atomic_file_write(struct atomic_file *file, const void *bytes, size_t len,
			      struct err *err);

/**
 * atomic_file_commit(file, err): fsync, rename, fsync of the folder. On error the
 * temporary file is removed, unless it stays, and the old file is as it was; only when the last
 * fsync fails, the new file is in place and may be lost in a crash.
 */
enum status atomic_file_commit(struct atomic_file *file, struct err *err);

/** atomic_file_abort(file): give up; the old file is as it was. */
void atomic_file_abort(struct atomic_file *file);

#endif
