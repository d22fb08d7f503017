/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/file_map.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status map_descriptor(struct file_map *map, int fd, size_t max_len,
				  size_t *file_len_out, struct err *err)
{
	struct stat info;
	size_t len;
	void *bytes;

	if (fstat(fd, &info) != 0)
		return err_errno(err, STATUS_IO, "stat");
	if (!S_ISREG(info.st_mode))
		return err_set(err, STATUS_BAD_FILE, "not a regular file");
	if (info.st_size == 0)
		return err_set(err, STATUS_BAD_FILE, "empty file");
	*file_len_out = (size_t)info.st_size;
	len = *file_len_out < max_len ? *file_len_out : max_len;
	bytes = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return err_errno(err, STATUS_IO, "map");
	*map = (struct file_map){.bytes = bytes, .len = len};
	return STATUS_OK;
}

enum status file_map_open_head(struct file_map *map, const char *path, size_t max_len,
			       size_t *file_len_out, struct err *err)
{
	/* O_NONBLOCK: a FIFO is refused, not waited for */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum status status;

	if (fd < 0)
		return err_errno(err, STATUS_IO, "open");
	status = map_descriptor(map, fd, max_len, file_len_out, err);
	close(fd);
	return status;
}

enum status file_map_open(struct file_map *map, const char *path, struct err *err)
{
	size_t file_len;

	return file_map_open_head(map, path, SIZE_MAX, &file_len, err);
}

void file_map_close(struct file_map *map)
{
	if (map->bytes != NULL)
		munmap((void *)map->bytes, map->len);
	*map = (struct file_map){0};
}
