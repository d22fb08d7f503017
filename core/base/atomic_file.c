/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#define MAX_ATTEMPTS 100

/* The file that path stands for: path itself if there is nothing yet. */
static enum status resolve_target(const char *path, char target_out[PATH_MAX], struct err *err)
{
	struct stat info;

	if (lstat(path, &info) != 0) {
		if (errno != ENOENT)
			return err_errno(err, STATUS_IO, "look for the old file");
		if (snprintf(target_out, PATH_MAX, "%s", path) >= PATH_MAX)
			return err_set(err, STATUS_IO, "path is longer than %d bytes", PATH_MAX);
		return STATUS_OK;
	}
	if (realpath(path, target_out) == NULL || stat(target_out, &info) != 0)
		return err_errno(err, STATUS_IO, "follow the symbolic link");
	if (!S_ISREG(info.st_mode))
		return err_set(err, STATUS_IO, "not a regular file, so it is not replaced");
	return STATUS_OK;
}

/* open() with O_EXCL instead of mkstemp(): that one ignores the umask */
static int create_temporary(const char *target, char temporary_out[PATH_MAX])
{
	for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		int len =
		    snprintf(temporary_out, PATH_MAX, "%s.tmp-%08x", target, randombytes_random());

		if (len >= PATH_MAX) {
			errno = ENAMETOOLONG;
			return -1;
		}
		int fd = open(temporary_out, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

enum status atomic_file_open(struct atomic_file *file, const char *path, struct err *err)
{
	enum status status = resolve_target(path, file->target, err);

	if (status != STATUS_OK)
		return status;
	file->stays = false;
	file->fd = create_temporary(file->target, file->temporary);
	if (file->fd < 0)
		return err_errno(err, STATUS_IO, "create a temporary file beside it");
	return STATUS_OK;
}

enum status atomic_file_resume(struct atomic_file *file, const char *path, const char *suffix,
			       struct err *err)
{
	enum status status = resolve_target(path, file->target, err);

	if (status != STATUS_OK)
		return status;
	file->stays = true;
	if (snprintf(file->temporary, PATH_MAX, "%s%s", file->target, suffix) >= PATH_MAX)
		return err_set(err, STATUS_IO, "path is longer than %d bytes", PATH_MAX);
	file->fd = open(file->temporary, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (file->fd < 0)
		return err_errno(err, STATUS_IO, file->temporary);
	if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
		status = errno == EWOULDBLOCK
			     ? err_set(err, STATUS_IO, "%s: another process is writing it",
				       file->temporary)
			     : err_errno(err, STATUS_IO, "lock the temporary file");
		close(file->fd);
	}
	return status;
}

enum status atomic_file_write(struct atomic_file *file, const void *bytes, size_t len,
			      struct err *err)
{
	const char *rest = bytes;

	while (len > 0) {
		ssize_t n = write(file->fd, rest, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, STATUS_IO, "write");
		rest += n;
		len -= (size_t)n;
	}
	return STATUS_OK;
}

/* Opened before the rename, so that little can fail after it. */
static int open_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		return open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	slash[slash == folder] = '\0'; /* "/name" is in "/" */
	return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

enum status atomic_file_commit(struct atomic_file *file, struct err *err)
{
	enum status status = STATUS_OK;
	int folder = open_folder(file->target);

	if (folder < 0) {
		status = err_errno(err, STATUS_IO, "open the folder");
		goto err_abort;
	}
	if (fsync(file->fd) != 0) {
		status = err_errno(err, STATUS_IO, "fsync");
		goto err_after_folder;
	}
	if (rename(file->temporary, file->target) != 0) {
		status = err_errno(err, STATUS_IO, "rename the temporary file");
		goto err_after_folder;
	}
	close(file->fd);
	if (fsync(folder) != 0)
		status = err_errno(err, STATUS_IO, "fsync the folder");
	close(folder);
	return status;

err_after_folder:
	close(folder);
err_abort:
	atomic_file_abort(file);
	return status;
}

void atomic_file_abort(struct atomic_file *file)
{
	close(file->fd);
	if (!file->stays)
		unlink(file->temporary);
}
