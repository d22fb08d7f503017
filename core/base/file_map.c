/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/file_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status map_descriptor(struct file_map *map, int fd, struct err *err)
{
	struct stat info;
	void *bytes;

	if (fstat(fd, &info) != 0)
		return err_errno(err, STATUS_IO, "stat");
	if (!S_ISREG(info.st_mode))
		return err_set(err, STATUS_BAD_FILE, "not a regular file");
	if (info.st_size == 0)
		return err_set(err, STATUS_BAD_FILE, "empty file");
	bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return err_errno(err, STATUS_IO, "map");
	*map = (struct file_map){.bytes = bytes, .len = (size_t)info.st_size};
	return STATUS_OK;
}

enum status file_map_open(struct file_map *map, const char *path, struct err *err)
{
	/* O_NONBLOCK: a FIFO is refused, not waited for */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum status status;

	if (fd < 0)
		return err_errno(err, STATUS_IO, "open");
	status = map_descriptor(map, fd, err);
	close(fd);
	return status;
}

void file_map_close(struct file_map *map)
{
	if (map->bytes != NULL)
		munmap((void *)map->bytes, map->len);
	*map = (struct file_map){0};
}
