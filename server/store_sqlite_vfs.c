/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store_sqlite_vfs.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/statvfs.h>

#include <sqlite3.h>

#define MIN_PAGE 512
#define MAX_PAGE 65536
/* page 1 begins with the header of the database */
#define DATABASE_HEADER 100
/* zeros that a log is made longer by, and how many are written at once */
#define LOG_STEP  (1 << 20)
#define LOG_ZEROS (1 << 16)
/* of a disk that has less, nothing is taken before it is needed */
#define DISK_MIN (64 << 20)

/*
 * A file of this layer is a file of the layer below, which SQLite allocates, with
 * this behind it: some methods differ, and every other one works as it is.
 */
struct layered {
	sqlite3_io_methods methods;
	const sqlite3_io_methods *below;
	const char *log_name;  /* of a log: SQLite's, as long as the file is open */
	sqlite3_int64 log_len; /* and its size, as far as is known */
};

static sqlite3_vfs *below; /* the default layer; set once, like layer */
static sqlite3_vfs layer;
static size_t layered_offset; /* of struct layered in a file */

static struct layered *layered_of(sqlite3_file *file)
{
	return (struct layered *)((unsigned char *)file + layered_offset);
}

static size_t read_u16(const unsigned char *bytes)
{
	return (size_t)bytes[0] << 8 | bytes[1];
}

/* Bytes of a B-tree page's header by the page's type; 0: another kind of page. */
static size_t header_len(unsigned char type)
{
	switch (type) {
	case 2: /* interior, index and table */
	case 5:
		return 12;
	case 10: /* leaf */
	case 13:
		return 8;
	default:
		return 0;
	}
}

/* The space between the array of cell pointers and the first cell. */
static bool find_unallocated(const unsigned char *page, size_t size, size_t header,
			     size_t *begin_out, size_t *end_out)
{
	size_t len = header_len(page[header]);
	size_t n_cells = read_u16(page + header + 3);
	size_t first_cell = read_u16(page + header + 5);

	*begin_out = header + len + 2 * n_cells;
	*end_out = first_cell == 0 ? MAX_PAGE : first_cell;
	return len > 0 && *begin_out < *end_out && *end_out <= size;
}

static int write_scrubbed(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
	const sqlite3_io_methods *methods = layered_of(file)->below;
	size_t begin, end, size = (size_t)n;
	unsigned char page[MAX_PAGE];

	/* only whole pages are ever written to a database */
	if (size < MIN_PAGE || size > MAX_PAGE || offset % n != 0 ||
	    !find_unallocated(bytes, size, offset == 0 ? DATABASE_HEADER : 0, &begin, &end))
		return methods->xWrite(file, bytes, n, offset);
	memcpy(page, bytes, begin);
	memset(page + begin, 0, end - begin);
	memcpy(page + end, (const unsigned char *)bytes + end, size - end);
	return methods->xWrite(file, page, n, offset);
}

static bool has_space(const char *name)
{
	struct statvfs disk;

	return statvfs(name, &disk) == 0 &&
	       (double)disk.f_bavail * (double)disk.f_frsize >= DISK_MIN;
}

/* Only whoever has SQLite's lock for it writes to a log: what is beyond its end now is nobody's.
 * Without room for zeros it works as well, only slower. */
static void lengthen(sqlite3_file *file, sqlite3_int64 size)
{
	static const unsigned char zeros[LOG_ZEROS];
	struct layered *log = layered_of(file);

	if (!has_space(log->log_name))
		return;
	for (log->log_len = size; log->log_len < size + LOG_STEP; log->log_len += LOG_ZEROS) {
		if (log->below->xWrite(file, zeros, LOG_ZEROS, log->log_len) != SQLITE_OK)
			return;
	}
}

/* Others may have made it longer, or shorter, since this connection last looked. */
static void have_space_until(sqlite3_file *file, sqlite3_int64 end)
{
	struct layered *log = layered_of(file);
	sqlite3_int64 size;

	if (end <= log->log_len || log->below->xFileSize(file, &size) != SQLITE_OK)
		return;
	log->log_len = size;
	if (end > size)
		lengthen(file, size);
}

static int write_log(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
	have_space_until(file, offset + n);
	return layered_of(file)->below->xWrite(file, bytes, n, offset);
}

static int truncate_log(sqlite3_file *file, sqlite3_int64 size)
{
	struct layered *log = layered_of(file);

	log->log_len = 0;
	return log->below->xTruncate(file, size);
}

static int open_layered(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
			int *flags_out)
{
	int result = below->xOpen(below, name, file, flags, flags_out);
	struct layered *layered = layered_of(file);

	(void)vfs;
	if (result != SQLITE_OK || (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0)
		return result;
	*layered = (struct layered){.methods = *file->pMethods, .below = file->pMethods};
	if (flags & SQLITE_OPEN_MAIN_DB) {
		layered->methods.xWrite = write_scrubbed;
	} else {
		layered->log_name = name;
		layered->methods.xWrite = write_log;
		layered->methods.xTruncate = truncate_log;
	}
	file->pMethods = &layered->methods;
	return SQLITE_OK;
}

static bool register_layer(void)
{
	const size_t alignment = _Alignof(struct layered);

	below = sqlite3_vfs_find(NULL);
	if (below == NULL)
		return false;
	layered_offset = ((size_t)below->szOsFile + alignment - 1) / alignment * alignment;
	layer = *below;
	layer.zName = VFS_NAME;
	layer.szOsFile = (int)(layered_offset + sizeof(struct layered));
	layer.xOpen = open_layered;
	return sqlite3_vfs_register(&layer, 0) == SQLITE_OK;
}

bool vfs_register(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards registered */
	static bool registered;
	bool done;

	pthread_mutex_lock(&lock);
	if (!registered)
		registered = register_layer();
	done = registered;
	pthread_mutex_unlock(&lock);
	return done;
}
